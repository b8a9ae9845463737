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

  @Test("SVG is well-formed and holds every drawable point")
  func svg() throws {
    let text = Self.chart.svg()
    let document = try XMLCounter(text)
    #expect(document.counts["svg"] == 1)
    #expect(document.counts["polyline"] == 2)
    #expect(document.counts["circle"] == 2)
    #expect(document.points[0] == 3)  // the undefined value is left out
    #expect(text.contains("loss &amp; &lt;r&gt;"))
    #expect(!text.contains("nan"))
  }

  @Test("terminal text has the asked size, and the curve falls")
  func terminal() {
    let lines = Self.chart.terminal(columns: 40, rows: 8).split(
      separator: "\n", omittingEmptySubsequences: false)
    let area = lines.filter { $0.contains("│") || $0.contains("┤") }
    #expect(area.count == 8)
    #expect(Set(area.map(\.count)).count == 1)
    // Left end of the falling line on the top row, right end on the bottom row.
    let first = area[0].drop { $0 != "│" && $0 != "┤" }.dropFirst()
    #expect(first.first.map { $0 != " " } ?? false)
    #expect(area[7].last.map { $0 != " " } ?? false)
    #expect(lines.contains { $0.contains("2k") })
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
  }

  @Test("charts stack in one document, and equal losses are one level line")
  func stackedAndLevel() throws {
    let document = try XMLCounter(LineChart.svg(stacking: [Self.chart, Self.chart]))
    #expect(document.counts["svg"] == 3)
    #expect(document.counts["polyline"] == 4)
    // What rounding leaves between equal losses is not drawn as ups and downs.
    let level = ChartAxis([1.59600, 1.59601, 1.59599], isLogarithmic: false, tickCount: 5)
    #expect(level.upper - level.lower > 0.1)
    #expect(abs(level.position(1.59601) - 0.5) < 0.001)
    let apart = ChartAxis([1.59, 1.60], isLogarithmic: false, tickCount: 5)
    #expect(apart.lower == 1.59 && apart.upper == 1.60)
  }

  @Test("ticks are round numbers and labels are short")
  func ticks() {
    let axis = ChartAxis([0.13, 0.97], isLogarithmic: false, tickCount: 5)
    #expect(axis.ticks.map(ChartAxis.label) == ["0.2", "0.4", "0.6", "0.8"])
    let chosen = ChartAxis([1, 4, 2, 8, 8], isLogarithmic: true, tickCount: 5)
    #expect(chosen.ticks.map(ChartAxis.label) == ["1", "2", "4", "8"])
    let powers = ChartAxis([1, 1e6], isLogarithmic: true, tickCount: 8)
    #expect(
      powers.ticks.map(ChartAxis.label) == ["1", "10", "100", "1k", "10k", "100k", "1M"])
    #expect(ChartAxis.label(3.78e20) == "3.78e20")
    #expect(ChartAxis.label(-0.5) == "-0.5")
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
    if let list = attributes["points"] { points.append(list.split(separator: " ").count) }
  }
}
