import Columns

extension PageCursor {
  /// PQ-16: values stored one after another.
  mutating func plain(_ leaf: Leaf, _ count: Int) throws(ParquetProblem) -> PrimitiveValues {
    switch leaf.physical {
    case .boolean: return .booleans(try plainBooleans(count))
    case .byteArray: return .bytes(try plainStrings(count))
    default:
      guard let width = leaf.physical.width(leaf.typeLength), count <= left / width else {
        throw .valuesEnd("values", wanted: count)
      }
      let start = position
      try skip(count * width, "values")
      return leaf.values(count, bytes) { i, byte in start + i * width + byte }
    }
  }

  private mutating func plainBooleans(_ count: Int) throws(ParquetProblem) -> [Bool] {
    guard (count + 7) / 8 <= left else { throw .valuesEnd("values", wanted: count) }
    let start = position
    try skip((count + 7) / 8, "values")
    return (0..<count).map { bytes[start + $0 >> 3] >> UInt8($0 & 7) & 1 == 1 }
  }

  /// Strings, each after its length in four bytes. They stay where they are.
  private mutating func plainStrings(_ count: Int) throws(ParquetProblem) -> ByteStrings {
    guard count <= left / 4 else { throw .valuesEnd("values", wanted: count) }
    var starts = [UInt32](repeating: 0, count: count)
    var ends = starts
    var at = position
    for i in 0..<count {
      guard end - at >= 4 else { throw .valuesEnd("values", wanted: i + 1) }
      let length =
        Int(bytes[at]) | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2]) << 16
        | Int(bytes[at + 3]) << 24
      at += 4
      guard length <= end - at else { throw .stringPastEnd(length: length, left: end - at) }
      starts[i] = UInt32(truncatingIfNeeded: at)
      at += length
      ends[i] = UInt32(truncatingIfNeeded: at)
    }
    try skip(at - position, "values")
    return ByteStrings(storage: bytes, starts: starts, ends: ends)
  }

  /// PQ-19: the bytes of all values, first those that come first, then the second ones, and so on.
  mutating func splitStreams(_ leaf: Leaf, _ count: Int) throws(ParquetProblem) -> PrimitiveValues {
    guard let width = leaf.physical.width(leaf.typeLength), leaf.physical != .int96 else {
      throw .encoding("BYTE_STREAM_SPLIT")
    }
    guard count <= left / width else { throw .valuesEnd("values", wanted: count) }
    let start = position
    // The streams are as long as the page's bytes say.
    let length = left / width
    try skip(left, "values")
    return leaf.values(count, bytes) { i, byte in start + byte * length + i }
  }
}

extension Leaf {
  /// Values of a fixed width whose bytes lie at `position(value, byte)`.
  fileprivate func values(
    _ count: Int, _ bytes: [UInt8], _ position: (Int, Int) -> Int
  ) -> PrimitiveValues {
    func number(_ i: Int, _ width: Int) -> UInt64 {
      var value: UInt64 = 0
      for byte in 0..<width { value |= UInt64(bytes[position(i, byte)]) << UInt64(8 * byte) }
      return value
    }
    switch physical {
    case .int32:
      return .integers((0..<count).map { extended(UInt32(truncatingIfNeeded: number($0, 4))) })
    case .int64: return .integers((0..<count).map { Int64(bitPattern: number($0, 8)) })
    case .float:
      return .floats(
        (0..<count).map {
          Double(Float(bitPattern: UInt32(truncatingIfNeeded: number($0, 4))))
        })
    case .double: return .floats((0..<count).map { Double(bitPattern: number($0, 8)) })
    case .fixedLengthByteArray where type == .float(bits: 16):
      return .floats(
        (0..<count).map { Double(half: UInt16(truncatingIfNeeded: number($0, 2))) })
    default: return .bytes(strings(count, bytes, position))
    }
  }

  /// An integer of 32 bits with its sign, if it has one.
  func extended(_ value: UInt32) -> Int64 {
    if case .integer(_, isSigned: false) = type { return Int64(value) }
    return Int64(Int32(bitPattern: value))
  }

  private func strings(
    _ count: Int, _ bytes: [UInt8], _ position: (Int, Int) -> Int
  ) -> ByteStrings {
    let width = physical.width(typeLength) ?? 0
    var storage: [UInt8] = []
    storage.reserveCapacity(count * width)
    for i in 0..<count {
      for byte in 0..<width { storage.append(bytes[position(i, byte)]) }
    }
    return ByteStrings(
      storage: storage, starts: (0..<count).map { UInt32($0 * width) },
      ends: (0..<count).map { UInt32(($0 + 1) * width) })
  }
}
