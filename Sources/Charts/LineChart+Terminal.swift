import ByteIO

extension LineChart {
  /// The chart in braille characters, each of which shows 2 × 4 points.
  ///
  /// - Parameters:
  ///   - columns: Characters of the drawing area, beside the labels.
  ///   - rows: Lines of the drawing area.
  ///   - hasColor: Tell series apart by terminal colours, not by letters alone.
  package func terminal(columns: Int = 64, rows: Int = 14, hasColor: Bool = false) -> String {
    guard let plot = ChartPlot(self, ticks: (x: columns / 12, y: rows / 3)) else {
      return title + "\n(nothing to draw)\n"
    }
    let canvas = canvas(plot, columns: columns, rows: rows)
    let yTicks = Dictionary(
      zip(plot.y.ticks, plot.y.labels).map { (row(of: plot.y.position($0), rows), $1) },
      uniquingKeysWith: { first, _ in first })
    let margin = yTicks.values.map(\.count).max() ?? 0
    var lines = [title + (plot.note.map { " (\($0))" } ?? ""), axisLabels.y]
    for row in 0..<rows {
      let label = yTicks[row] ?? ""
      lines.append(
        String(repeating: " ", count: margin - label.count) + label
          + (label.isEmpty ? " │" : " ┤")
          + canvas.line(row, colors: hasColor ? ChartColors.terminal : []))
    }
    lines.append(
      String(repeating: " ", count: margin) + " └" + String(repeating: "─", count: columns))
    lines.append(
      String(repeating: " ", count: margin + 2) + xLabels(plot.x, columns) + "  " + axisLabels.x)
    if plot.curves.count > 1 { lines.append(legend(plot, hasColor)) }
    return lines.joined(separator: "\n") + "\n"
  }

  private func row(of share: Double, _ rows: Int) -> Int {
    min(rows - 1, max(0, Int((1 - share) * Double(rows - 1) + 0.5)))
  }

  private func canvas(_ plot: ChartPlot, columns: Int, rows: Int) -> BrailleCanvas {
    var canvas = BrailleCanvas(columns: columns, rows: rows)
    func dot(_ place: ChartPlot.Place) -> (x: Double, y: Double) {
      (place.x * Double(columns * 2 - 1), (1 - place.y) * Double(rows * 4 - 1))
    }
    for (index, curve) in plot.curves.enumerated() {
      for band in curve.bands {
        for place in band.high + band.low { canvas.draw(dot(place), dot(place), owner: index) }
      }
      for place in curve.raw.flatMap({ $0 }) {
        canvas.draw(dot(place), dot(place), owner: index)
      }
    }
    for (index, curve) in plot.curves.enumerated() {
      for line in curve.lines {
        for (from, to) in zip(line, line.dropFirst()) {
          canvas.draw(dot(from), dot(to), owner: index)
        }
      }
      for place in curve.marks + curve.outside {
        canvas.draw(dot(place), dot(place), owner: index)
      }
    }
    if plot.curves.count > 1 {
      for (index, curve) in plot.curves.enumerated() {
        // At another place of each line, so that letters of equal lines are side by side.
        let inside = (curve.lines.flatMap { $0 } + curve.marks).filter {
          (0...1).contains($0.y)
        }.sorted { $0.x < $1.x }
        guard
          let place = inside.isEmpty
            ? nil : inside[(inside.count - 1) * (index + 1) / plot.curves.count]
        else { continue }
        canvas.write(Self.letter(index), at: dot(place), owner: index)
      }
    }
    return canvas
  }

  private func xLabels(_ axis: ChartAxis, _ columns: Int) -> String {
    var line = [Character](repeating: " ", count: columns)
    for (tick, text) in zip(axis.ticks, axis.labels) {
      let label = Array(text)
      let centre = Int(axis.position(tick) * Double(columns - 1))
      let start = min(max(0, centre - label.count / 2), max(0, columns - label.count))
      let place = start..<min(columns, start + label.count)
      let around = max(0, place.lowerBound - 1)..<min(columns, place.upperBound + 1)
      guard line[around].allSatisfy({ $0 == " " }) else { continue }
      line.replaceSubrange(place, with: label.prefix(place.count))
    }
    return String(line)
  }

  private static func letter(_ index: Int) -> Character {
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return letters[index % letters.count]
  }

  private func legend(_ plot: ChartPlot, _ hasColor: Bool) -> String {
    plot.curves.enumerated().map { index, curve in
      let letter = String(Self.letter(index))
      return hasColor
        ? PrintedText.color(ChartColors.terminal[index % ChartColors.terminal.count])
          + "━\(letter)━\(PrintedText.plain) " + curve.label()
        : "\(letter) \(curve.label())"
    }.joined(separator: "   ")
  }
}
