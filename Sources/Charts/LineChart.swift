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

  /// What lies between two numbers at one place: the range of many values, or an uncertainty.
  package struct Band: Equatable, Sendable {
    package var x: Double
    package var low: Double
    package var high: Double

    package init(_ x: Double, low: Double, high: Double) {
      self.x = x
      self.low = low
      self.high = high
    }
  }

  package struct Series: Equatable, Sendable {
    package var name: String
    /// In order of x. One that is not finite is a gap in the line; two alone are no line at all.
    package var points: [Point]
    /// What the points are means of, drawn pale behind them.
    package var raw: [Point]
    /// Drawn pale behind the line, as an area.
    package var band: [Band]
    /// Draw the points, not only the line between them.
    package var isMarked: Bool

    package init(
      _ name: String, _ points: [Point], raw: [Point] = [], band: [Band] = [],
      isMarked: Bool = false
    ) {
      self.name = name
      self.points = points
      self.raw = raw
      self.band = band
      self.isMarked = isMarked
    }
  }

  /// A value to compare with, drawn across the whole chart.
  package struct Level: Equatable, Sendable {
    package var name: String
    package var y: Double

    package init(_ name: String, _ y: Double) {
      self.name = name
      self.y = y
    }
  }

  package var title: String
  package var xLabel: String
  package var yLabel: String
  package var xIsLogarithmic: Bool
  package var yIsLogarithmic: Bool
  /// Let the few highest and lowest values leave the frame where they would flatten the others, as
  /// the first losses of a run do; a note then tells of them.
  package var hidesOutliers: Bool
  package var series: [Series]
  package var levels: [Level]

  package init(
    title: String, xLabel: String, yLabel: String, xIsLogarithmic: Bool = false,
    yIsLogarithmic: Bool = false, hidesOutliers: Bool = false, series: [Series],
    levels: [Level] = []
  ) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.xIsLogarithmic = xIsLogarithmic
    self.yIsLogarithmic = yIsLogarithmic
    self.hidesOutliers = hidesOutliers
    self.series = series
    self.levels = levels
  }

  /// What the axes are called: equal distances are not equal differences on a logarithmic one.
  var axisLabels: (x: String, y: String) {
    (
      xLabel + (xIsLogarithmic ? " (log scale)" : ""),
      yLabel + (yIsLogarithmic ? " (log scale)" : "")
    )
  }
}
