/// Reads structures of Thrift's compact protocol; rule PQ-3.
///
/// Fields come by number; what nobody asks for is stepped over. Depth is bounded, and a list cannot
/// have more elements than bytes follow, so that nothing is allocated for a forged count.
struct ThriftReader {
  /// Types as a field's header spells them.
  enum Kind: UInt8 {
    case yes = 1
    case no, byte, int16, int32, int64, double, binary, list, set, map, structure, uuid
  }

  static let depthLimit = 32

  private let bytes: [UInt8]
  private let path: String
  private let base: Int
  private(set) var position = 0
  private var depth = 0

  /// - Parameter base: Position of the first byte in the file at `path`.
  init(_ bytes: [UInt8], path: String, base: Int) {
    self.bytes = bytes
    self.path = path
    self.base = base
  }

  func fail(_ problem: ParquetProblem) -> ParquetError {
    ParquetError(problem, path, at: base + position)
  }

  // MARK: Structures

  /// Reads a structure; `body` is called for each field with its number and type, and gives false
  /// when it has not read the value.
  mutating func structure(
    _ body: (inout Self, Int, Kind) throws(ParquetError) -> Bool
  ) throws(ParquetError) {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthLimit else { throw fail(.thriftDepth(limit: Self.depthLimit)) }
    var field = 0
    while true {
      let header = try byte()
      if header == 0 { return }
      let step = Int(header >> 4)
      field = step == 0 ? Int(truncatingIfNeeded: try zigzag()) : field + step
      let kind = try Self.kind(header & 15, self)
      if try !body(&self, field, kind) { try skip(kind) }
    }
  }

  /// Reads a list of elements of type `kind`, each by `element`.
  mutating func list<Element>(
    _ field: String, of kind: Kind, _ element: (inout Self) throws(ParquetError) -> Element
  ) throws(ParquetError) -> [Element] {
    let (count, found) = try listHeader()
    guard found == kind || count == 0 else { throw fail(.wrongType(field: field)) }
    var elements: [Element] = []
    elements.reserveCapacity(min(count, 1 << 10))
    for _ in 0..<count { elements.append(try element(&self)) }
    return elements
  }

  private mutating func listHeader() throws(ParquetError) -> (count: Int, Kind?) {
    let header = try byte()
    let size = header >> 4 == 15 ? try varint() : UInt64(header >> 4)
    let count = Int(clamping: size)
    guard count <= bytes.count - position else {
      throw fail(.thriftCount(count, left: bytes.count - position))
    }
    return (count, count == 0 ? nil : try Self.kind(header & 15, self))
  }

  private static func kind(_ value: UInt8, _ reader: Self) throws(ParquetError) -> Kind {
    guard let kind = Kind(rawValue: value) else { throw reader.fail(.thriftType(value)) }
    return kind
  }

  /// Steps over a value.
  private mutating func skip(_ kind: Kind) throws(ParquetError) {
    switch kind {
    case .yes, .no: break
    case .byte: try advance(1)
    case .int16, .int32, .int64: _ = try varint()
    case .double: try advance(8)
    case .uuid: try advance(16)
    case .binary: try advance(Int(clamping: try varint()))
    case .structure: try structure { (_, _, _) throws(ParquetError) in false }
    case .list, .set:
      let (count, kind) = try listHeader()
      try skip(count, kind.map { [$0] } ?? [])
    case .map:
      let count = Int(clamping: try varint())
      guard count > 0 else { return }
      guard count <= bytes.count - position else {
        throw fail(.thriftCount(count, left: bytes.count - position))
      }
      let kinds = try byte()
      try skip(count, [try Self.kind(kinds >> 4, self), try Self.kind(kinds & 15, self)])
    }
  }

  /// Steps over `count` elements of a list, or entries of a map. Booleans take a byte there.
  private mutating func skip(_ count: Int, _ kinds: [Kind]) throws(ParquetError) {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthLimit else { throw fail(.thriftDepth(limit: Self.depthLimit)) }
    for _ in 0..<count {
      for kind in kinds { try skip(kind == .yes || kind == .no ? .byte : kind) }
    }
  }

  // MARK: Values

  /// An integer field of any width.
  mutating func integer(_ field: String, _ kind: Kind) throws(ParquetError) -> Int {
    switch kind {
    case .int16, .int32, .int64: return Int(try zigzag())
    case .byte: return Int(Int8(bitPattern: try byte()))
    default: throw fail(.wrongType(field: field))
    }
  }

  /// An integer field that must not be negative.
  mutating func count(_ field: String, _ kind: Kind) throws(ParquetError) -> Int {
    let value = try integer(field, kind)
    guard value >= 0 else { throw fail(.negative(field: field, value)) }
    return value
  }

  mutating func boolean(_ field: String, _ kind: Kind) throws(ParquetError) -> Bool {
    guard kind == .yes || kind == .no else { throw fail(.wrongType(field: field)) }
    return kind == .yes
  }

  mutating func string(_ field: String, _ kind: Kind = .binary) throws(ParquetError) -> String {
    guard kind == .binary else { throw fail(.wrongType(field: field)) }
    let start = position
    let count = Int(clamping: try varint())
    let first = position
    try advance(count)
    guard let text = String(validating: bytes[first..<position], as: UTF8.self) else {
      position = start
      throw fail(.notUTF8(field: field))
    }
    return text
  }

  private mutating func advance(_ count: Int) throws(ParquetError) {
    guard count <= bytes.count - position else { throw fail(.thriftEnd) }
    position += count
  }

  private mutating func byte() throws(ParquetError) -> UInt8 {
    guard position < bytes.count else { throw fail(.thriftEnd) }
    defer { position += 1 }
    return bytes[position]
  }

  private mutating func zigzag() throws(ParquetError) -> Int64 {
    let value = try varint()
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  private mutating func varint() throws(ParquetError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      let next = try byte()
      value |= UInt64(next & 0x7F) << shift
      if next & 0x80 == 0 { return value }
    }
    throw fail(.thriftVarint)
  }
}

extension ParquetProblem {
  /// Whether more bytes might help.
  var isOfEnd: Bool {
    switch self {
    case .thriftEnd, .thriftCount: true
    default: false
    }
  }
}
