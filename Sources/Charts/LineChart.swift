/// Lines over two axes, drawn as SVG or with the characters of a terminal.
package struct LineChart: Equatable, Sendable {
  package struct Point: Equatable, Sendable {
    package var x: Double
    package var y: Double

    package init(_ x: Double, _ y: Double) {
      self.x = x
      self.y = y
    }
  }

  package struct Series: Equatable, Sendable {
    package var name: String
    /// In order of x.
    package var points: [Point]
    /// Draw the points, not only the line between them.
    package var isMarked: Bool

    package init(_ name: String, _ points: [Point], isMarked: Bool = false) {
      self.name = name
      self.points = points
      self.isMarked = isMarked
    }
  }

  package var title: String
  package var xLabel: String
  package var yLabel: String
  package var xIsLogarithmic: Bool
  package var series: [Series]

  package init(
    title: String, xLabel: String, yLabel: String, xIsLogarithmic: Bool = false, series: [Series]
  ) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.xIsLogarithmic = xIsLogarithmic
    self.series = series
  }

  /// The series without what cannot be drawn: infinite and undefined values, and on a logarithmic
  /// axis those that are not positive.
  var drawable: [Series] {
    series.map { series in
      var series = series
      series.points.removeAll {
        !$0.x.isFinite || !$0.y.isFinite || (xIsLogarithmic && $0.x <= 0)
      }
      return series
    }
  }

  /// The axes that hold all drawable points; nil when there are none.
  func axes(ticks: (x: Int, y: Int)) -> (x: ChartAxis, y: ChartAxis)? {
    let points = drawable.flatMap(\.points)
    if points.isEmpty { return nil }
    return (
      ChartAxis(points.map(\.x), isLogarithmic: xIsLogarithmic, tickCount: ticks.x),
      ChartAxis(points.map(\.y), isLogarithmic: false, tickCount: ticks.y)
    )
  }
}
