import ByteIO

/// Rows of text in aligned columns.
struct TextTable {
  enum Alignment {
    case left
    case right
  }

  private var alignments: [Alignment]
  private var rows: [[String]]

  /// A table with a header row, underlined.
  init(_ columns: [(String, Alignment)]) {
    alignments = columns.map(\.1)
    rows = columns.isEmpty || columns.allSatisfy({ $0.0.isEmpty }) ? [] : [columns.map(\.0)]
  }

  /// A table without a header.
  init(_ alignments: [Alignment]) {
    self.alignments = alignments
    rows = []
  }

  mutating func add(_ cells: [String]) { rows.append(cells.map(PrintedText.onOneLine)) }

  /// The table's lines, each ended by a line break and indented by `indent` spaces.
  func text(indent: Int = 0) -> String {
    let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = String(repeating: " ", count: indent)
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += alignments[column] == .left ? cell + padding : padding + cell
        if column + 1 < row.count { line += "  " }
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}
