import ByteIO

/// A table of a FlatBuffer: fields found by number through the table's list of positions; rule AR-2.
///
/// Every position is checked against the bytes before it is used.
struct FlatTable {
  let bytes: [UInt8]
  /// Position of the table.
  private let start: Int
  /// Position and size of the list of its fields' positions.
  private let list: Int
  private let listSize: Int
  private let depth: Int

  static let depthLimit = 32

  /// The table that the first four bytes point to.
  init(root bytes: [UInt8]) throws(ArrowProblem) {
    try self.init(bytes, at: 0, depth: 0)
  }

  /// The table that the four bytes at `position` point to.
  private init(_ bytes: [UInt8], at position: Int, depth: Int) throws(ArrowProblem) {
    self.bytes = bytes
    self.depth = depth
    guard depth < Self.depthLimit else { throw .tooDeep(limit: Self.depthLimit) }
    let step = Int(try Self.number(bytes, position, UInt32.self))
    start = position + step
    let back = Int(try Self.number(bytes, start, Int32.self))
    list = start - back
    guard list >= 0 else { throw .flatBuffer }
    listSize = Int(try Self.number(bytes, list, UInt16.self))
    guard listSize >= 4, listSize <= bytes.count - list else { throw .flatBuffer }
  }

  private static func number<Value: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: [UInt8], _ position: Int, _: Value.Type
  ) throws(ArrowProblem) -> Value {
    let size = MemoryLayout<Value>.size
    guard position >= 0, position <= bytes.count - size else { throw .flatBuffer }
    var reader = ByteReader(bytes.rawSpan, at: position)
    do throws(Truncated) { return try reader.read(Value.self) } catch { throw .flatBuffer }
  }

  /// Position of a field's bytes; nil when it has its default.
  private func position(_ field: Int) throws(ArrowProblem) -> Int? {
    let entry = 4 + 2 * field
    guard entry + 2 <= listSize else { return nil }
    let offset = Int(try Self.number(bytes, list + entry, UInt16.self))
    return offset == 0 ? nil : start + offset
  }

  func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    _ field: Int, _: Value.Type, default value: Value = 0
  ) throws(ArrowProblem) -> Int {
    guard let position = try position(field) else { return Int(clamping: value) }
    return Int(clamping: try Self.number(bytes, position, Value.self))
  }

  func table(_ field: Int) throws(ArrowProblem) -> FlatTable? {
    guard let position = try position(field) else { return nil }
    return try FlatTable(bytes, at: position, depth: depth + 1)
  }

  /// Where the elements of a list are, of `size` bytes each.
  private func elements(_ field: Int, size: Int) throws(ArrowProblem) -> (first: Int, count: Int)? {
    guard let position = try position(field) else { return nil }
    let vector = position + Int(try Self.number(bytes, position, UInt32.self))
    let count = Int(try Self.number(bytes, vector, UInt32.self))
    guard count <= (bytes.count - vector - 4) / size else { throw .flatBuffer }
    return (vector + 4, count)
  }

  func tables(_ field: Int) throws(ArrowProblem) -> [FlatTable] {
    guard let (first, count) = try elements(field, size: 4) else { return [] }
    var tables: [FlatTable] = []
    for i in 0..<count { tables.append(try FlatTable(bytes, at: first + 4 * i, depth: depth + 1)) }
    return tables
  }

  /// Structures of `width` integers of 64 bits, one after another.
  func integers(_ field: Int, width: Int) throws(ArrowProblem) -> [[Int]] {
    guard let (first, count) = try elements(field, size: 8 * width) else { return [] }
    var rows: [[Int]] = []
    for i in 0..<count {
      var row: [Int] = []
      for j in 0..<width {
        row.append(Int(try Self.number(bytes, first + 8 * (i * width + j), Int64.self)))
      }
      rows.append(row)
    }
    return rows
  }

  func string(_ field: Int) throws(ArrowProblem) -> String {
    guard let (first, count) = try elements(field, size: 1) else { return "" }
    guard let text = String(validating: bytes[first..<first + count], as: UTF8.self) else {
      throw .flatBuffer
    }
    return text
  }
}
