import JSON

/// The rows of comma- or tab-separated values as objects of strings, by the names in the first row.
///
/// RFC 4180: cells may be quoted, then they may hold separators, line ends and doubled quotes.
struct TableRecords: RecordSource {
  private let path: String
  private let separator: UInt8
  private var feed: ByteFeed
  private var names: [String] = []
  private var row = 0
  private var isAtEnd = false

  /// Bytes of the longest row.
  private static let limit = 1 << 26

  init(_ path: String, separator: UInt8) throws {
    self.path = path
    self.separator = separator
    feed = try ByteFeed(path)
    guard let cells = try cells() else { throw DataError(.empty, path) }
    names = try cells.map { try text($0) }
    for (i, name) in names.enumerated() where names[..<i].contains(name) {
      throw DataError(.badTable("two columns are called \"\(name)\""), path, .row(0, group: nil))
    }
  }

  mutating func next() throws -> Record? {
    while let cells = try cells() {
      row += 1
      if cells.count == 1, cells[0].isEmpty, names.count > 1 { continue }
      guard cells.count == names.count else {
        throw DataError(
          .cellCount(cells.count, names: names.count), path, .row(row, group: nil))
      }
      let members = try zip(names, cells).map {
        JSONObject.Member(key: $0, value: .string(try text($1)))
      }
      return Record(JSONObject(members), .row(row, group: nil))
    }
    return nil
  }

  private func text(_ bytes: [UInt8]) throws(DataError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw DataError(.invalidUTF8, path, .row(row, group: nil))
    }
    return text
  }

  /// The cells of the next row; nil at the end.
  private mutating func cells() throws -> [[UInt8]]? {
    if isAtEnd { return nil }
    var (cells, cell, size) = ([[UInt8]](), [UInt8](), 0)
    var (isQuoted, mayClose, isFirst) = (false, false, true)
    while true {
      guard let byte = try feed.next() else {
        isAtEnd = true
        if isQuoted, !mayClose { throw unclosed }
        return cells.isEmpty && cell.isEmpty && isFirst ? nil : cells + [trimmed(cell, mayClose)]
      }
      size += 1
      guard size <= Self.limit else {
        throw DataError(
          .badTable("a row of more than \(Self.limit) bytes"), path, .row(row + 1, group: nil))
      }
      if isQuoted, !mayClose {
        if byte == UInt8(ascii: "\"") { mayClose = true } else { cell.append(byte) }
      } else if isQuoted, byte == UInt8(ascii: "\"") {
        mayClose = false
        cell.append(byte)
      } else if byte == separator || byte == 0x0A {
        cells.append(byte == 0x0A ? trimmed(cell, mayClose) : cell)
        if byte == 0x0A { return cells }
        (cell, isQuoted, mayClose) = ([], false, false)
      } else if byte == UInt8(ascii: "\""), cell.isEmpty, !isQuoted {
        isQuoted = true
      } else if !(isQuoted && byte == 0x0D) {
        cell.append(byte)
      }
      isFirst = false
    }
  }

  /// A row's last cell without the first half of a line end; in quotes it was passed over already.
  private func trimmed(_ cell: [UInt8], _ wasQuoted: Bool) -> [UInt8] {
    cell.last == 0x0D && !wasQuoted ? cell.dropLast() : cell
  }

  private var unclosed: DataError {
    DataError(.badTable("a quoted cell does not end"), path, .row(row + 1, group: nil))
  }
}
