import Foundation
import FoundationXML
import Testing

@testable import Charts

@Suite("Line chart")
struct ChartTests {
  private static let chart = LineChart(
    title: "loss & <r>", xLabel: "tokens", yLabel: "nats",
    series: [
      .init("a", [.init(0, 4), .init(1000, 2), .init(2000, 1), .init(3000, .nan)]),
      .init("b", [.init(0, 3), .init(2000, 3)], isMarked: true),
    ])

  @Test("SVG is well-formed and holds every drawable point; two points are no line")
  func svg() throws {
    let text = Self.chart.svg()
    let document = try XMLCounter(text)
    #expect(document.counts["polyline"] == 1)
    #expect(document.points == [3])  // the undefined value is left out
    // A mark of its own shape for both points of b, and one in the legend.
    #expect(text.components(separatedBy: "h7v7h-7z").count - 1 == 3)
    #expect(text.contains("loss &amp; &lt;r&gt;"))
    #expect(!text.contains("nan") && !text.contains("inf"))
  }

  @Test("an undefined value is a gap, and what stands alone between two is a mark")
  func gaps() throws {
    var chart = Self.chart
    let values = [1, 2, .nan, 3, .nan, 4, 5]
    chart.series = [.init("a", values.enumerated().map { .init(Double($0), $1) })]
    let plot = try #require(ChartPlot(chart, ticks: (5, 5)))
    #expect(plot.curves[0].lines.map(\.count) == [2, 2])
    #expect(plot.curves[0].marks.count == 1)
  }

  @Test("terminal text has the asked size, and the curve falls")
  func terminal() throws {
    let text = Self.chart.terminal(columns: 40, rows: 8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let area = lines.filter { $0.contains("│") || $0.contains("┤") }
    #expect(area.count == 8)
    #expect(Set(area.map(\.count)).count == 1)
    func columns(_ row: Int) -> [Int] {
      let cells = area[row].drop { $0 != "│" && $0 != "┤" }.dropFirst()
      return cells.enumerated().filter { $0.element != " " }.map(\.offset)
    }
    // From the left of the upper row to the right of the lowest, off the frame at both.
    #expect(try #require(columns(0).first ?? columns(1).first) < 4)
    #expect(try #require(columns(7).last) > 34)
    #expect(lines.contains { $0.contains("1k") && $0.contains("2k") })
    #expect(lines.contains { $0 == "A a   B b" })
    #expect(area.contains { $0.contains("A") } && area.contains { $0.contains("B") })
  }

  @Test("levels cross the chart, are named, and do not flatten the rest")
  func levels() throws {
    var chart = Self.chart
    chart.levels = [.init("source", 2.5), .init("start", 2.5)]
    let plot = try #require(ChartPlot(chart, ticks: (5, 5)))
    let y = plot.y.position(2.5)
    #expect(plot.curves.map(\.name) == ["a", "b", "source", "start"])
    #expect(plot.curves[2].lines == [[.init(x: 0, y: y), .init(x: 1, y: y)]])
    #expect(plot.curves[3].label() == "start (equals source)")
    #expect(chart.svg().contains(">source</text>"))
    #expect(chart.terminal().contains("C source"))
    // One alone is no chart.
    chart.series = []
    #expect(ChartPlot(chart, ticks: (5, 5)) == nil)
    chart = Self.chart
    chart.hidesOutliers = true
    chart.levels = [.init("start", 40)]
    let far = try #require(ChartPlot(chart, ticks: (5, 5)))
    #expect(far.y.upper < 10 && far.curves[2].lines.isEmpty)
    #expect(far.note == "outside: values above, up to 40.00")
    chart.yIsLogarithmic = true
    #expect(chart.svg().contains("nats (log scale)"))
  }

  @Test("two points that are not marked are marked all the same")
  func two() throws {
    var chart = Self.chart
    chart.series = [.init("a", [.init(0, 1), .init(1, 2)])]
    let plot = try #require(ChartPlot(chart, ticks: (5, 5)))
    #expect(plot.curves[0].lines.isEmpty && plot.curves[0].marks.count == 2)
    #expect(chart.svg().components(separatedBy: "<circle").count - 1 == 2)
  }

  @Test("a band is an area within the limits, in SVG and on the terminal")
  func bands() throws {
    var chart = Self.chart
    chart.series = [
      .init(
        "a", [.init(0, 2), .init(1, 2), .init(2, 2)],
        band: [.init(0, low: 1, high: 3), .init(1, low: -4, high: 8), .init(2, low: 1, high: 3)])
    ]
    let plot = try #require(ChartPlot(chart, ticks: (5, 5)))
    #expect(plot.y.lower <= -4 && plot.y.upper >= 8)
    #expect(plot.curves[0].bands.map(\.high.count) == [3])
    #expect(chart.svg().components(separatedBy: "<polygon").count - 1 == 1)
    // The line is level, so what is above and below it is the band.
    let dots = chart.terminal(columns: 20, rows: 10).split(separator: "\n")
      .filter { $0.contains { ("\u{2801}"..."\u{28FF}").contains($0) } }
    #expect(dots.count >= 3)
  }

  @Test("the frame is below the legend, however many rows it takes")
  func belowLegend() throws {
    var chart = Self.chart
    for count in [2, 8, 30] {
      chart.series = (0..<count).map {
        .init("a series of some length \($0)", [.init(0, 1), .init(1, Double($0)), .init(2, 3)])
      }
      let text = chart.svg()
      let names = text.matches(of: /y="([0-9.]+)" text-anchor="start"/).compactMap { Double($0.1) }
      let frame = try #require(text.firstMatch(of: /<svg x="[0-9.]+" y="([0-9.]+)"/)?.1)
      #expect(names.count == count)
      #expect(try #require(names.max()) < (try #require(Double(frame))))
    }
  }

  @Test("a terminal without colours gets none, and the same drawing")
  func colors() {
    let (plain, colored) = (Self.chart.terminal(), Self.chart.terminal(hasColor: true))
    // Stand for the escapes of a terminal until they are printed.
    func isColor(_ scalar: Unicode.Scalar) -> Bool { (0xFFFD0...0xFFFD8).contains(scalar.value) }
    #expect(!plain.unicodeScalars.contains(where: isColor))
    #expect(colored.unicodeScalars.contains(where: isColor))
    func drawing(_ text: String) -> [Substring] {
      let scalars = text.unicodeScalars.filter { !isColor($0) }
      return String(String.UnicodeScalarView(scalars)).split(separator: "\n").dropLast()
    }
    #expect(drawing(plain) == drawing(colored))
  }

  @Test("odd input draws nothing worse than a note")
  func degenerate() {
    var chart = Self.chart
    chart.series = [.init("none", [.init(.nan, 1)])]
    #expect(chart.terminal().contains("nothing to draw"))
    #expect(chart.svg().hasSuffix("</svg>\n"))
    chart.series = [.init("one", [.init(5, 5)])]
    #expect(chart.svg().contains("<circle"))
    #expect(chart.terminal().contains("5"))
    for logarithmic in [false, true] {
      let values = [1e300, -1e308, 1e-307, Double.leastNonzeroMagnitude, .infinity, 0, 3, 1e250]
      chart = LineChart(
        title: "", xLabel: "", yLabel: "", xIsLogarithmic: logarithmic,
        yIsLogarithmic: logarithmic, hidesOutliers: true,
        series: [.init("x", values.map { .init($0, $0) }, raw: values.map { .init($0, $0) })])
      #expect(!chart.svg().contains("nan"))
      #expect(chart.terminal(columns: 10, rows: 3).count > 30)
    }
  }

  @Test("charts stack in one document, and equal losses are one level line")
  func stackedAndLevel() throws {
    let document = try XMLCounter(LineChart.svg(stacking: [Self.chart, Self.chart]))
    #expect(document.counts["polyline"] == 2)
    // What rounding leaves between equal losses is not drawn as ups and downs.
    let level = ChartAxis([1.59600, 1.59601, 1.59599], isLogarithmic: false, tickCount: 5)
    #expect(level.upper - level.lower > 0.1)
    #expect(abs(level.position(1.59601) - 0.5) < 0.001)
  }

  @Test("no value lies on the frame", arguments: [false, true])
  func margins(logarithmic: Bool) {
    let axis = ChartAxis([1, 2, 8], isLogarithmic: logarithmic, tickCount: 5)
    #expect((0.03...0.06).contains(axis.position(1)))
    #expect((0.94...0.97).contains(axis.position(8)))
  }

  @Test("ticks are round numbers of one notation")
  func ticks() {
    func labels(_ values: [Double], log: Bool = false, count: Int = 5) -> [String] {
      ChartAxis(values, isLogarithmic: log, tickCount: count).labels
    }
    #expect(labels([0.13, 0.97]) == ["0.2", "0.4", "0.6", "0.8"])
    #expect(labels([0, 2000]) == ["0", "0.5k", "1.0k", "1.5k", "2.0k"])
    #expect(labels([0, 5e-4]) == ["0", "1e-4", "2e-4", "3e-4", "4e-4", "5e-4"])
    #expect(labels([0.9e12, 1.3e12]) == ["0.9T", "1.0T", "1.1T", "1.2T", "1.3T"])
    #expect(labels([1e20, 4e20], count: 3) == ["1e20", "2e20", "3e20", "4e20"])
    #expect(labels([-1, 1]) == ["-1.0", "-0.5", "0", "0.5", "1.0"])
    #expect(labels([1, 4, 2, 8, 8], log: true) == ["1", "2", "4", "8"])
    #expect(labels([10, 20, 100], log: true) == ["10", "20", "100"])
    #expect(
      labels([1, 1e6], log: true, count: 8)
        == ["1e0", "1e1", "1e2", "1e3", "1e4", "1e5", "1e6"])
  }

  @Test("the first steps do not flatten the rest, and a note tells of them")
  func outliers() throws {
    let points = (0..<100).map { (step: Int) -> LineChart.Point in
      let x = Double(step)
      return LineChart.Point(x, step < 3 ? 10.5 - x : 3 - x / 200)
    }
    var chart = LineChart(
      title: "t", xLabel: "step", yLabel: "nats", hidesOutliers: true,
      series: [.init("a", points)])
    let plot = try #require(ChartPlot(chart, ticks: (5, 5)))
    #expect(plot.y.upper < 3.2 && plot.y.lower > 2.4)
    #expect(plot.note == "outside: values above, up to 10.50")
    #expect(chart.svg().contains("up to 10.50"))
    #expect(chart.terminal().contains("up to 10.50"))
    chart.hidesOutliers = false
    #expect(try #require(ChartPlot(chart, ticks: (5, 5))).y.upper > 10.5)
    // Nothing is hidden where nothing is flattened.
    #expect(ChartLimits([[1, 2, 3, 4, 5]], hidesOutliers: true, isLogarithmic: false)?.high == 5)
    #expect(ChartLimits([[2, 2, 2, 9]], hidesOutliers: true, isLogarithmic: false)?.high == 9)
  }

  @Test("equal series are told apart, and the legend is above the frame")
  func equal() throws {
    var chart = Self.chart
    let points = [LineChart.Point(0, 1), .init(1, 2), .init(2, 1)]
    chart.series = [.init("first", points), .init("second", points)]
    let svg = chart.svg()
    #expect(svg.contains("second (equals first)"))
    #expect(svg.components(separatedBy: "stroke-dasharray").count - 1 == 2)  // line and legend
    let text = chart.terminal(columns: 30, rows: 6)
    #expect(text.contains("A first   B second (equals first)"))
    let area = text.split(separator: "\n").filter { $0.contains("│") || $0.contains("┤") }
    #expect(area.contains { $0.contains("A") } && area.contains { $0.contains("B") })
    chart.series[1].points[0].y += 1e-4
    #expect(chart.svg().contains("second (≈ first)"))
    // 30 names take rows, and the frame begins below the last.
    chart.series = (0..<30).map { .init("series number \($0)", points.map { .init($0.x, $0.y) }) }
    let legend = SVGLegend(try #require(ChartPlot(chart, ticks: (5, 5))).curves, width: 440)
    #expect(legend.height > 100)
  }

  @Test("many steps become a bounded line of means, with their range behind it")
  func smoothed() throws {
    let many = (0..<100_000).map {
      LineChart.Point(Double($0), $0 == 5 ? .nan : $0 % 2 == 0 ? 1 : 3)
    }
    let series = LineChart.Series.smoothed("s", many)
    #expect(series.points.count <= 300 && series.points.count > 200)
    #expect(series.raw.isEmpty && series.band.count == series.points.count)
    #expect(series.points.allSatisfy { abs($0.y - 2) < 0.01 })
    #expect(series.band.allSatisfy { $0.low == 1 && $0.high == 3 })
    #expect(
      LineChart(title: "", xLabel: "", yLabel: "", series: [series]).svg().utf8.count < 30_000)
    let few = LineChart.Series.smoothed("s", Array(many.prefix(40)))
    #expect(few.raw.count == 40 && few.points.count == 40 && few.points[5].y.isNaN)
    #expect(LineChart.Series.smoothed("s", Array(many.prefix(1))).points == [many[0]])
    #expect(LineChart.Series.smoothed("s", []).points.isEmpty)
    // A line's ends are not drawn towards its middle.
    let slope = LineChart.Series.smoothed("s", (0..<48).map { .init(Double($0), Double($0)) })
    #expect(slope.points.first?.y == 0 && slope.points.last?.y == 47)
  }

  @Test("what is put into markup is text")
  func escaping() {
    let text = "<b a=\"1\" c='2'>&\u{202E}\u{0}\u{1B}"
    let markup: Markup = "<p>\(text)</p>\(3)\("<i/>" as Markup)"
    #expect(
      markup.source
        == "<p>&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;\u{FFFD}\u{FFFD}\u{FFFD}</p>3<i/>")
  }
}

/// Counts elements, and the points of each polyline.
private final class XMLCounter: NSObject, XMLParserDelegate {
  var counts: [String: Int] = [:]
  var points: [Int] = []

  init(_ text: String) throws {
    super.init()
    let parser = XMLParser(data: Data(text.utf8))
    parser.delegate = self
    try #require(parser.parse())
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    counts[name, default: 0] += 1
    if name == "polyline", let list = attributes["points"] {
      points.append(list.split(separator: " ").count)
    }
  }
}
