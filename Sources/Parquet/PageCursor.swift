/// A position in the bytes of a page, and the numbers that encodings are made of.
struct PageCursor {
  let bytes: [UInt8]
  private(set) var position: Int
  let end: Int

  init(_ bytes: [UInt8], _ range: Range<Int>) {
    precondition(range.upperBound <= bytes.count, "the range lies within")
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  var left: Int { end - position }

  mutating func skip(_ count: Int, _ what: String) throws(ParquetProblem) {
    guard count >= 0, count <= left else { throw .valuesEnd(what, wanted: count) }
    position += count
  }

  mutating func byte(_ what: String) throws(ParquetProblem) -> UInt8 {
    guard position < end else { throw .valuesEnd(what, wanted: 1) }
    defer { position += 1 }
    return bytes[position]
  }

  /// An unsigned number of at most ten bytes, lowest bits first.
  mutating func varint(_ what: String) throws(ParquetProblem) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      let next = try byte(what)
      value |= UInt64(next & 0x7F) << shift
      if next & 0x80 == 0 { return value }
    }
    throw .thriftVarint
  }

  mutating func zigzag(_ what: String) throws(ParquetProblem) -> Int64 {
    let value = try varint(what)
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  /// A little-endian number of `width` bytes, at most 4.
  mutating func number(_ width: Int, _ what: String) throws(ParquetProblem) -> UInt32 {
    guard width <= left else { throw .valuesEnd(what, wanted: width) }
    var value: UInt32 = 0
    for i in 0..<width { value |= UInt32(bytes[position + i]) << UInt32(8 * i) }
    position += width
    return value
  }
}
