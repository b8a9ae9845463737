import ByteIO

extension LineChart {
  /// Escape codes of the series, in the order of the SVG's colours.
  private static let colors = [34, 31, 32, 35, 33, 36, 37]

  /// The chart in braille characters, each of which shows 2 × 4 points.
  ///
  /// - Parameters:
  ///   - columns: Characters of the drawing area, beside the labels.
  ///   - rows: Lines of the drawing area.
  ///   - hasColor: Tell series apart by terminal colours.
  package func terminal(columns: Int = 64, rows: Int = 14, hasColor: Bool = false) -> String {
    guard let axes = axes(ticks: (x: columns / 12, y: rows / 3)) else {
      return title + "\n(nothing to draw)\n"
    }
    let canvas = canvas(axes, columns: columns, rows: rows)
    let yTicks = Dictionary(
      axes.y.ticks.map { (row(of: axes.y.position($0), rows), ChartAxis.label($0)) },
      uniquingKeysWith: { first, _ in first })
    let margin = yTicks.values.map(\.count).max() ?? 0
    var lines = [title, yLabel]
    for row in 0..<rows {
      let label = yTicks[row] ?? ""
      lines.append(
        String(repeating: " ", count: margin - label.count) + label
          + (label.isEmpty ? " │" : " ┤")
          + canvas.line(row, colors: hasColor ? Self.colors : []))
    }
    lines.append(
      String(repeating: " ", count: margin) + " └" + String(repeating: "─", count: columns))
    lines.append(
      String(repeating: " ", count: margin + 2) + xLabels(axes.x, columns) + "  " + xLabel)
    if series.count > 1 { lines.append(legend(hasColor)) }
    return lines.joined(separator: "\n") + "\n"
  }

  private func row(of share: Double, _ rows: Int) -> Int {
    min(rows - 1, max(0, Int((1 - share) * Double(rows - 1) + 0.5)))
  }

  private func canvas(
    _ axes: (x: ChartAxis, y: ChartAxis), columns: Int, rows: Int
  ) -> BrailleCanvas {
    var canvas = BrailleCanvas(columns: columns, rows: rows)
    for (index, series) in drawable.enumerated() {
      let places = series.points.map { point in
        (
          x: axes.x.position(point.x) * Double(columns * 2 - 1),
          y: (1 - axes.y.position(point.y)) * Double(rows * 4 - 1)
        )
      }
      for (from, to) in zip(places, places.dropFirst()) { canvas.draw(from, to, owner: index) }
      if places.count == 1 { canvas.draw(places[0], places[0], owner: index) }
    }
    return canvas
  }

  private func xLabels(_ axis: ChartAxis, _ columns: Int) -> String {
    var line = [Character](repeating: " ", count: columns)
    for tick in axis.ticks {
      let label = Array(ChartAxis.label(tick))
      let centre = Int(axis.position(tick) * Double(columns - 1))
      let start = min(max(0, centre - label.count / 2), max(0, columns - label.count))
      let place = start..<min(columns, start + label.count)
      let around = max(0, place.lowerBound - 1)..<min(columns, place.upperBound + 1)
      guard line[around].allSatisfy({ $0 == " " }) else { continue }
      line.replaceSubrange(place, with: label.prefix(place.count))
    }
    return String(line)
  }

  private func legend(_ hasColor: Bool) -> String {
    series.enumerated().map { index, series in
      hasColor
        ? PrintedText.color(Self.colors[index % Self.colors.count]) + "━━\(PrintedText.plain) "
          + series.name
        : series.name
    }.joined(separator: "   ")
  }
}
