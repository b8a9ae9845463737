/// Bit-packed values, lowest bit first, in a part of an array.
struct BitReader {
  private var position: Int
  private let end: Int
  private var buffer: UInt64 = 0
  private var bits = 0

  /// The caller has checked that the range lies within the bytes it will read from.
  init(_ range: Range<Int>) {
    position = range.lowerBound
    end = range.upperBound
  }

  /// Appends `count` values of `width` bits, at most 32, read from `bytes`; zeros where they end.
  mutating func read<Value: FixedWidthInteger>(
    _ count: Int, width: Int, from bytes: [UInt8], into values: inout [Value]
  ) {
    let mask: UInt64 = 1 << UInt64(width) &- 1
    for _ in 0..<count {
      while bits < width {
        if position < end { buffer |= UInt64(bytes[position]) << UInt64(bits) }
        position += 1
        bits += 8
      }
      values.append(Value(truncatingIfNeeded: buffer & mask))
      buffer >>= UInt64(width)
      bits -= width
    }
  }

  /// The next value of `width` bits, at most 64.
  mutating func next(width: Int, from bytes: [UInt8]) -> UInt64 {
    if width <= 32 { return low(width, bytes) }
    let low = low(32, bytes)
    return low | self.low(width - 32, bytes) << 32
  }

  private mutating func low(_ width: Int, _ bytes: [UInt8]) -> UInt64 {
    while bits < width {
      if position < end { buffer |= UInt64(bytes[position]) << UInt64(bits) }
      position += 1
      bits += 8
    }
    defer {
      buffer >>= UInt64(width)
      bits -= width
    }
    return buffer & (1 << UInt64(width) &- 1)
  }
}
