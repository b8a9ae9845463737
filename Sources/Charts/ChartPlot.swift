import ByteIO

/// A chart laid out in a square of side 1, from its lower left corner: what the SVG and the terminal
/// draw alike.
struct ChartPlot {
  struct Place: Equatable {
    var x: Double
    var y: Double
  }

  struct Curve {
    var name: String
    /// Of its colour, strokes and marks; levels count from the last, so that one looks the same
    /// beside any number of series.
    var style: Int
    /// A curve before this one that looks the same.
    var twin: (name: String, isEqual: Bool)?
    /// Lines without gaps.
    var lines: [[Place]] = []
    var raw: [[Place]] = []
    /// Upper and lower edge of the band, from left to right.
    var bands: [(high: [Place], low: [Place])] = []
    var marks: [Place] = []
    /// Marks that are outside, at the edge that is nearest.
    var outside: [Place] = []

    /// What the legend says, in about `limit` characters: the start and the end of longer names.
    func label(limit: Int = 200) -> String {
      guard let twin else { return Self.shortened(name, to: limit) }
      let relation = twin.isEqual ? "equals" : "≈"
      return Self.shortened(name, to: limit / 2)
        + " (\(relation) \(Self.shortened(twin.name, to: max(8, limit / 2 - 10))))"
    }

    private static func shortened(_ name: String, to limit: Int) -> String {
      name.count <= limit
        ? name : "\(name.prefix(limit / 2))…\(name.suffix(limit - limit / 2 - 1))"
    }
  }

  let x: ChartAxis
  let y: ChartAxis
  private(set) var curves: [Curve] = []
  /// Tells of values that are not shown; nil when all are.
  let note: String?

  /// nil when there is nothing to draw.
  init?(_ chart: LineChart, ticks: (x: Int, y: Int)) {
    func isDrawable(_ x: Double, _ y: Double) -> Bool {
      // Differences of numbers below 1e300 are finite.
      abs(x) < 1e300 && abs(y) < 1e300 && (!chart.xIsLogarithmic || x > 1e-300)
        && (!chart.yIsLogarithmic || y > 1e-300)
    }
    func isDrawable(_ point: LineChart.Point) -> Bool { isDrawable(point.x, point.y) }
    func isDrawable(_ band: LineChart.Band) -> Bool {
      isDrawable(band.x, band.low) && isDrawable(band.x, band.high)
    }
    let lists = chart.series.flatMap { series in
      [series.points, series.raw].map { $0.filter(isDrawable) }
        + [
          series.band.filter(isDrawable).flatMap {
            [LineChart.Point($0.x, $0.low), LineChart.Point($0.x, $0.high)]
          }
        ]
    }
    let levels = chart.levels.filter { isDrawable(1, $0.y) }
    guard
      let limits = ChartLimits(
        lists.map { $0.map(\.y) }, levels: levels.map(\.y), hidesOutliers: chart.hidesOutliers,
        isLogarithmic: chart.yIsLogarithmic)
    else { return nil }
    x = ChartAxis(
      lists.flatMap { $0.map(\.x) }, isLogarithmic: chart.xIsLogarithmic, tickCount: ticks.x)
    y = ChartAxis(
      [limits.low, limits.high], isLogarithmic: chart.yIsLogarithmic, tickCount: ticks.y,
      marksValues: false)
    note = Self.note(lists.flatMap { $0.map(\.y) } + levels.map(\.y), y)
    for series in chart.series {
      var curve = Curve(name: series.name, style: curves.count)
      let lines = series.points.split { !isDrawable($0) }.map { $0.map(place) }
      if lines.reduce(0, { $0 + $1.count }) > 2 { curve.lines = lines.filter { $0.count > 1 } }
      let marks =
        series.isMarked || curve.lines.isEmpty
        ? lines.flatMap { $0 } : lines.filter { $0.count == 1 }.flatMap { $0 }
      curve.marks = marks.filter { (0...1).contains($0.y) }
      curve.outside = marks.filter { !(0...1).contains($0.y) }
        .map { Place(x: $0.x, y: $0.y < 0 ? 0 : 1) }
      curve.raw = series.raw.split { !isDrawable($0) }.map { $0.map(place) }
      curve.bands = series.band.split { !isDrawable($0) }.map { part in
        (
          part.map { place(.init($0.x, $0.high)) }, part.map { place(.init($0.x, $0.low)) }
        )
      }
      if let twin = curves.indices.first(where: { isSame(curve, curves[$0]) }) {
        let other = chart.series[twin]
        curve.twin = (other.name, series.points == other.points)
      }
      curves.append(curve)
    }
    for (number, level) in levels.enumerated() {
      let y = y.position(level.y)
      var curve = Curve(name: level.name, style: ChartColors.light.count - 1 - number)
      if (0...1).contains(y) { curve.lines = [[Place(x: 0, y: y), Place(x: 1, y: y)]] }
      curve.twin = levels[..<number].first { $0.y == level.y }.map { ($0.name, true) }
      curves.append(curve)
    }
  }

  /// Whether two curves cannot be told apart by looking.
  private func isSame(_ a: Curve, _ b: Curve) -> Bool {
    let (a, b) = ([a.marks] + a.lines, [b.marks] + b.lines)
    guard a.map(\.count) == b.map(\.count), a.contains(where: { !$0.isEmpty }) else {
      return false
    }
    return zip(a, b).allSatisfy { line, other in
      zip(line, other).allSatisfy { abs($0.x - $1.x) < 0.004 && abs($0.y - $1.y) < 0.004 }
    }
  }

  private func place(_ point: LineChart.Point) -> Place {
    Place(x: x.position(point.x), y: y.position(point.y))
  }

  private static func note(_ values: [Double], _ axis: ChartAxis) -> String? {
    let above = values.filter { $0 > axis.upper }
    let below = values.filter { $0 < axis.lower }
    func short(_ value: Double) -> String {
      abs(value) < 1e4 && abs(value) >= 0.01 ? fixed(value, 2) : scientific(value)
    }
    var parts: [String] = []
    if let highest = above.max() { parts.append("above, up to \(short(highest))") }
    if let lowest = below.min() { parts.append("below, down to \(short(lowest))") }
    return parts.isEmpty ? nil : "outside: values " + parts.joined(separator: "; ")
  }
}
