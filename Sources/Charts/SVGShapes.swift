/// The pieces of a chart as SVG.
enum SVGShapes {
  static func pixel(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

  static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> Markup {
    """
    <line x1="\(pixel(x1))" y1="\(pixel(y1))" x2="\(pixel(x2))" y2="\(pixel(y2))"/>
    """
  }

  static func text(
    _ text: String, x: Double, y: Double, anchor: String = "middle", size: Int = 12,
    isRotated: Bool = false
  ) -> Markup {
    let turn: Markup =
      isRotated ? " transform=\"rotate(-90 \(pixel(x)) \(pixel(y)))\"" : ""
    return """
      <text x="\(pixel(x))" y="\(pixel(y))" text-anchor="\(anchor)" font-size="\(size)" \
      fill="currentColor"\(turn)>\(text)</text>
      """
  }

  /// The group that gives a series its colour.
  static func colored(_ index: Int, _ content: Markup) -> Markup {
    let number = index % ChartColors.light.count
    return "<g class=\"s\(number)\" color=\"\(ChartColors.light[number])\">\(content)</g>"
  }

  static func dash(_ index: Int) -> Markup {
    let dash = ChartColors.dashes[index % ChartColors.dashes.count]
    return dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\""
  }

  /// A point's mark: its shape tells series apart, too.
  static func mark(_ x: Double, _ y: Double, _ index: Int) -> Markup {
    let (a, b) = (pixel(x), pixel(y))
    let path: Markup
    switch index % 4 {
    case 0: return "<circle cx=\"\(a)\" cy=\"\(b)\" r=\"4.8\" fill=\"currentColor\"/>"
    case 1: path = "M\(a) \(b)m-3.5-3.5h7v7h-7z"
    case 2: path = "M\(a) \(b)m0-3.5l3.5 6h-7z"
    default: path = "M\(a) \(b)m0-3l3 3l-3 3l-3-3z"
    }
    return "<path d=\"\(path)\" fill=\"currentColor\"/>"
  }

  /// All series, so that those under one another are seen: pale things first, then lines, those
  /// with gaps over those without, then marks, the smaller ones on top.
  static func curves(_ curves: [ChartPlot.Curve], _ frame: SVGFrame) -> [Markup] {
    func layer(_ draw: (ChartPlot.Curve) -> [Markup]) -> [Markup] {
      curves.compactMap { curve in
        let parts = draw(curve)
        return parts.isEmpty ? nil : colored(curve.style, parts.joined())
      }
    }
    let count = ChartColors.dashes.count
    return layer { pale($0, frame) }
      + (0..<count).flatMap { kind in
        layer { curve in
          if curve.style % count != kind { return [] }
          return curve.lines.map {
            polyline(
              $0, frame, "stroke-width=\"\(kind == 0 ? "2.2" : "1.8")\"\(dash(curve.style))")
          }
        }
      }
      + (0..<count).flatMap { kind in
        layer { curve in curve.style % count == kind ? marks(curve, frame) : [] }
      }
  }

  private static func pale(_ curve: ChartPlot.Curve, _ frame: SVGFrame) -> [Markup] {
    curve.bands.map { band in
      """
      <polygon points="\(points(band.high + band.low.reversed(), frame))" fill="currentColor" \
      opacity="0.18"/>
      """
    } + curve.raw.map { polyline($0, frame, "stroke-width=\"1\" opacity=\"0.35\"") }
  }

  private static func marks(_ curve: ChartPlot.Curve, _ frame: SVGFrame) -> [Markup] {
    curve.marks.map { mark(frame.x($0.x), frame.y($0.y), curve.style) }
      + curve.outside.map { place in
        let (x, y) = (pixel(frame.x(place.x)), pixel(frame.y(place.y)))
        let arrow: Markup =
          place.y == 1 ? "M\(x) \(y)m0 1l5 8h-10z" : "M\(x) \(y)m0-1l5-8h-10z"
        return "<path d=\"\(arrow)\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\"/>"
      }
  }

  private static func polyline(
    _ places: [ChartPlot.Place], _ frame: SVGFrame, _ attributes: Markup
  ) -> Markup {
    "<polyline points=\"\(points(places, frame))\" fill=\"none\" stroke=\"currentColor\" stroke-linejoin=\"round\" \(attributes)/>"
  }

  private static func points(_ places: [ChartPlot.Place], _ frame: SVGFrame) -> String {
    places.map { "\(pixel(frame.x($0.x))),\(pixel(frame.y($0.y)))" }.joined(separator: " ")
  }
}

/// Names of the series in rows above the frame, where they cover nothing.
struct SVGLegend {
  private static let rowHeight = 17.0
  private var entries: [(x: Double, row: Int, name: String, style: Int, isMarked: Bool)] = []

  var height: Double {
    entries.last.map { Double($0.row + 1) * Self.rowHeight } ?? 0
  }

  init(_ curves: [ChartPlot.Curve], width: Int) {
    var (x, row) = (12.0, 0)
    for curve in curves {
      let name = curve.label(limit: max(24, (width - 60) / 7))
      let length = 36 + Double(name.count) * 6.8
      if x > 12, x + length > Double(width) - 8 { (x, row) = (12, row + 1) }
      entries.append((x, row, name, curve.style, curve.lines.isEmpty || !curve.marks.isEmpty))
      x += length + 14
    }
  }

  func drawing(top: Double) -> [Markup] {
    entries.map { entry in
      let y = top + Double(entry.row) * Self.rowHeight
      let sample: Markup = """
        <g stroke="currentColor" stroke-width="2"\(SVGShapes.dash(entry.style))>\
        \(SVGShapes.line(entry.x, y - 4, entry.x + 26, y - 4))</g>
        """
      let mark = entry.isMarked ? SVGShapes.mark(entry.x + 13, y - 4, entry.style) : ""
      return SVGShapes.colored(entry.style, sample + mark)
        + SVGShapes.text(entry.name, x: entry.x + 32, y: y, anchor: "start")
    }
  }
}
