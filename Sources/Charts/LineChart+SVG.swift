extension LineChart {
  /// The chart as one SVG document, readable on a light and on a dark page.
  ///
  /// - Parameters:
  ///   - width: In pixels.
  ///   - height: In pixels.
  package func svg(width: Int = 720, height: Int = 400) -> String {
    Self.document(drawing(width: width, height: height), width: width, height: height)
  }

  /// Charts one under another in one document.
  package static func svg(stacking charts: [LineChart], width: Int = 720, height: Int = 400)
    -> String
  {
    let parts = charts.enumerated().map { index, chart in
      "<g transform=\"translate(0 \(index * height))\">\n\(chart.drawing(width: width, height: height))</g>\n"
        as Markup
    }
    return document(parts.joined(), width: width, height: height * charts.count)
  }

  /// The chart as an element of an HTML page, which has `style`.
  package func figure(width: Int = 440, height: Int = 300) -> Markup {
    """
    <svg class="chart" role="img" aria-label="\(title)" viewBox="0 0 \(width) \(height)" \
    color="#20252a" font-family="sans-serif" font-size="12">
    \(drawing(width: width, height: height))</svg>

    """
  }

  private static func document(_ content: Markup, width: Int, height: Int) -> String {
    let markup: Markup = """
      <svg xmlns="http://www.w3.org/2000/svg" class="chart" width="\(width)" height="\(height)" \
      viewBox="0 0 \(width) \(height)" color="#20252a" font-family="sans-serif" font-size="12">
      <style>\(style)</style>
      <rect class="page" width="\(width)" height="\(height)" fill="#ffffff"/>
      \(content)</svg>

      """
    return markup.source
  }

  private func drawing(width: Int, height: Int) -> Markup {
    var lines = [SVGShapes.text(title, x: Double(width) / 2, y: 20, size: 14)]
    guard let plot = ChartPlot(self, ticks: (x: max(2, width / 95), y: max(2, height / 55))) else {
      lines.append(
        SVGShapes.text("nothing to draw", x: Double(width) / 2, y: Double(height) / 2))
      return lines.joined(separator: "\n")
    }
    let legend = SVGLegend(plot.curves.count > 1 ? plot.curves : [], width: width)
    lines += legend.drawing(top: 40)
    var top = 34 + legend.height
    if let note = plot.note {
      lines.append(
        "<g opacity=\"0.75\">\(SVGShapes.text(note, x: Double(width) / 2, y: top + 6, size: 11))</g>"
      )
      top += 14
    }
    let labelWidth = Double(plot.y.labels.map(\.count).max() ?? 0) * 7
    let frame = SVGFrame(
      left: 34 + labelWidth, top: top, right: Double(width) - 14, bottom: Double(height) - 46)
    lines += [
      SVGShapes.text(axisLabels.x, x: (frame.left + frame.right) / 2, y: Double(height) - 10),
      SVGShapes.text(axisLabels.y, x: 15, y: (frame.top + frame.bottom) / 2, isRotated: true),
    ]
    lines += grid(plot, frame)
    lines.append(frame.clipped(SVGShapes.curves(plot.curves, frame)))
    return lines.joined(separator: "\n")
  }

  private func grid(_ plot: ChartPlot, _ frame: SVGFrame) -> [Markup] {
    var strokes: [Markup] = []
    var labels: [Markup] = []
    for (tick, label) in zip(plot.y.ticks, plot.y.labels) {
      let y = frame.y(plot.y.position(tick))
      strokes.append(SVGShapes.line(frame.left, y, frame.right, y))
      labels.append(SVGShapes.text(label, x: frame.left - 7, y: y + 4, anchor: "end"))
    }
    for (tick, label) in zip(plot.x.ticks, plot.x.labels) {
      let x = frame.x(plot.x.position(tick))
      strokes.append(SVGShapes.line(x, frame.top, x, frame.bottom))
      labels.append(SVGShapes.text(label, x: x, y: frame.bottom + 17))
    }
    let axes = [
      SVGShapes.line(frame.left, frame.bottom, frame.right, frame.bottom),
      SVGShapes.line(frame.left, frame.top, frame.left, frame.bottom),
    ]
    return [
      "<g class=\"grid\" color=\"#e2e5e8\" stroke=\"currentColor\">\(strokes.joined())</g>",
      "<g class=\"axis\" color=\"#6a737c\" stroke=\"currentColor\">\(axes.joined())</g>",
    ] + labels
  }
}

/// The area of the lines, in pixels.
struct SVGFrame {
  var left: Double
  var top: Double
  var right: Double
  var bottom: Double

  func x(_ share: Double) -> Double { left + share * (right - left) }
  func y(_ share: Double) -> Double { bottom - share * (bottom - top) }

  /// A drawing of which nothing is outside: an inner document, whose edges cut without a name.
  func clipped(_ parts: [Markup]) -> Markup {
    let (x, y) = (SVGShapes.pixel(left), SVGShapes.pixel(top))
    let (width, height) = (SVGShapes.pixel(right - left), SVGShapes.pixel(bottom - top))
    return """
      <svg x="\(x)" y="\(y)" width="\(width)" height="\(height)" \
      viewBox="\(x) \(y) \(width) \(height)" overflow="hidden">\(parts.joined())</svg>
      """
  }
}
