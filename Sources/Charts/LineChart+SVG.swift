extension LineChart {
  /// Colours that are told apart with any colour vision (Okabe and Ito, 2008).
  private static let colors = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
  ]

  /// The chart as one SVG document, readable on a light and on a dark page.
  ///
  /// - Parameters:
  ///   - width: In pixels.
  ///   - height: In pixels.
  package func svg(width: Int = 720, height: Int = 400) -> String {
    let frame = Frame(left: 64, top: 40, right: Double(width) - 20, bottom: Double(height) - 52)
    var lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(height)\""
        + " viewBox=\"0 0 \(width) \(height)\" font-family=\"sans-serif\" font-size=\"12\">",
      "<rect width=\"\(width)\" height=\"\(height)\" fill=\"#ffffff\"/>",
      text(title, x: Double(width) / 2, y: 22, anchor: "middle", size: 15),
      text(xLabel, x: (frame.left + frame.right) / 2, y: Double(height) - 12, anchor: "middle"),
      text(
        yLabel, x: 16, y: (frame.top + frame.bottom) / 2, anchor: "middle", rotated: true),
    ]
    if let axes = axes(ticks: (x: 7, y: 6)) {
      lines += grid(axes, frame)
      for (index, series) in drawable.enumerated() {
        lines += drawing(of: series, Self.colors[index % Self.colors.count], axes, frame)
      }
      if series.count > 1 { lines += legend(frame) }
    }
    return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  /// Charts one under another in one document.
  package static func svg(stacking charts: [LineChart], width: Int = 720, height: Int = 400)
    -> String
  {
    if charts.count == 1 { return charts[0].svg(width: width, height: height) }
    let whole = height * charts.count
    let parts = charts.enumerated().map { index, chart in
      "<g transform=\"translate(0 \(index * height))\">\n\(chart.svg(width: width, height: height))</g>"
    }
    return
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(whole)\""
      + " viewBox=\"0 0 \(width) \(whole)\">\n" + parts.joined(separator: "\n") + "\n</svg>\n"
  }

  /// The area of the lines, in pixels.
  private struct Frame {
    var left: Double
    var top: Double
    var right: Double
    var bottom: Double

    func x(_ share: Double) -> Double { left + share * (right - left) }
    func y(_ share: Double) -> Double { bottom - share * (bottom - top) }
  }

  private func grid(_ axes: (x: ChartAxis, y: ChartAxis), _ frame: Frame) -> [String] {
    var lines: [String] = []
    for tick in axes.y.ticks {
      let y = frame.y(axes.y.position(tick))
      lines.append(line(frame.left, y, frame.right, y, "#dddddd"))
      lines.append(text(ChartAxis.label(tick), x: frame.left - 8, y: y + 4, anchor: "end"))
    }
    for tick in axes.x.ticks {
      let x = frame.x(axes.x.position(tick))
      lines.append(line(x, frame.top, x, frame.bottom, "#eeeeee"))
      lines.append(text(ChartAxis.label(tick), x: x, y: frame.bottom + 18, anchor: "middle"))
    }
    lines.append(line(frame.left, frame.bottom, frame.right, frame.bottom, "#555555"))
    lines.append(line(frame.left, frame.top, frame.left, frame.bottom, "#555555"))
    return lines
  }

  private func drawing(
    of series: Series, _ color: String, _ axes: (x: ChartAxis, y: ChartAxis), _ frame: Frame
  ) -> [String] {
    let places = series.points.map {
      (x: frame.x(axes.x.position($0.x)), y: frame.y(axes.y.position($0.y)))
    }
    let path = places.map { "\(pixel($0.x)),\(pixel($0.y))" }.joined(separator: " ")
    let curve =
      "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(color)\" stroke-width=\"1.6\""
      + " stroke-linejoin=\"round\"/>"
    guard series.isMarked || places.count == 1 else { return [curve] }
    return [curve]
      + places.map {
        "<circle cx=\"\(pixel($0.x))\" cy=\"\(pixel($0.y))\" r=\"3\" fill=\"\(color)\"/>"
      }
  }

  private func legend(_ frame: Frame) -> [String] {
    series.enumerated().flatMap { index, series in
      let y = frame.top + 14 + 18 * Double(index)
      let color = Self.colors[index % Self.colors.count]
      return [
        line(frame.right - 24, y - 4, frame.right - 4, y - 4, color),
        text(series.name, x: frame.right - 30, y: y, anchor: "end"),
      ]
    }
  }

  private func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: String
  ) -> String {
    "<line x1=\"\(pixel(x1))\" y1=\"\(pixel(y1))\" x2=\"\(pixel(x2))\" y2=\"\(pixel(y2))\""
      + " stroke=\"\(color)\"/>"
  }

  private func text(
    _ text: String, x: Double, y: Double, anchor: String, size: Int = 12, rotated: Bool = false
  ) -> String {
    let turn = rotated ? " transform=\"rotate(-90 \(pixel(x)) \(pixel(y)))\"" : ""
    return "<text x=\"\(pixel(x))\" y=\"\(pixel(y))\" text-anchor=\"\(anchor)\""
      + " font-size=\"\(size)\" fill=\"#222222\"\(turn)>\(escaped(text))</text>"
  }

  private func pixel(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

  private func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      default: result.append(character)
      }
    }
    return result
  }
}
