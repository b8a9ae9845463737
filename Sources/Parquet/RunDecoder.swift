extension PageCursor {
  /// PQ-17: `count` values of `width` bits in runs of one value and bit-packed groups of eight.
  ///
  /// - Parameters:
  ///   - limit: The largest value that makes sense.
  ///   - excess: The error for a larger one.
  mutating func runs<Value: FixedWidthInteger>(
    _ count: Int, width: Int, limit: Value, excess: (Value) -> ParquetProblem
  ) throws(ParquetProblem) -> [Value] {
    if width == 0 { return [Value](repeating: 0, count: count) }
    var values: [Value] = []
    values.reserveCapacity(count)
    while values.count < count {
      let header = try varint("runs")
      let most = count - values.count
      if header & 1 == 0 {
        let length = Int(clamping: header >> 1)
        guard length > 0 else { throw .emptyRun }
        let raw = try number((width + 7) / 8, "runs")
        guard let value = Value(exactly: raw), value <= limit else {
          throw excess(Value(clamping: raw))
        }
        values.append(contentsOf: repeatElement(value, count: min(length, most)))
      } else {
        try unpack(Int(clamping: header >> 1), most, width, limit, excess, into: &values)
      }
    }
    return values
  }

  /// Reads bit-packed groups; the last one may be cut short after the last value that counts.
  private mutating func unpack<Value: FixedWidthInteger>(
    _ groups: Int, _ most: Int, _ width: Int, _ limit: Value,
    _ excess: (Value) -> ParquetProblem, into values: inout [Value]
  ) throws(ParquetProblem) {
    guard groups > 0 else { throw .emptyRun }
    let wanted = groups >= (most + 7) / 8 ? most : groups * 8
    guard (wanted * width + 7) / 8 <= left else { throw .valuesEnd("runs", wanted: wanted) }
    let start = values.count
    let stated = groups.multipliedReportingOverflow(by: width)
    let byteCount = stated.overflow ? left : min(left, stated.partialValue)
    var reader = BitReader(position..<(position + byteCount))
    reader.read(wanted, width: width, from: bytes, into: &values)
    try skip(byteCount, "runs")
    var largest: Value = 0
    for i in start..<values.count { largest = max(largest, values[i]) }
    guard largest <= limit else { throw excess(largest) }
  }
}
