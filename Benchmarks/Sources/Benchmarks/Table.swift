/// Rows printed as a Markdown table.
struct Table {
  private let columns: [String]
  private var rows: [[String]] = []

  init(_ columns: String...) { self.columns = columns }

  mutating func add(_ cells: String...) { rows.append(cells) }

  func print() {
    let all = [columns] + rows
    let widths = columns.indices.map { i in all.map { $0[i].count }.max() ?? 0 }
    func line(_ cells: [String]) -> String {
      let padded = zip(cells, widths).map { cell, width in
        cell + String(repeating: " ", count: width - cell.count)
      }
      return "| " + padded.joined(separator: " | ") + " |"
    }
    Swift.print(line(columns))
    Swift.print("|" + widths.map { String(repeating: "-", count: $0 + 2) + "|" }.joined())
    for row in rows { Swift.print(line(row)) }
  }
}
