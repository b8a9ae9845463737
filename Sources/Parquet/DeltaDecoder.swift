import Columns

extension PageCursor {
  /// PQ-18: integers as differences, in blocks of miniblocks that have a bit width each.
  mutating func deltas(_ count: Int) throws(ParquetProblem) -> [Int64] {
    let block = Int(clamping: try varint("deltas"))
    let miniblocks = Int(clamping: try varint("deltas"))
    let total = Int(clamping: try varint("deltas"))
    var last = try zigzag("deltas")
    guard block > 0, block <= 1 << 20, block % 128 == 0 else {
      throw .deltaHeader("blocks of \(block) values")
    }
    guard miniblocks > 0, block % miniblocks == 0, block / miniblocks % 32 == 0 else {
      throw .deltaHeader("\(miniblocks) miniblocks in a block of \(block) values")
    }
    guard total == count else { throw .deltaCount(total, expected: count) }
    var values: [Int64] = []
    values.reserveCapacity(count)
    if count > 0 { values.append(last) }
    let size = block / miniblocks
    while values.count < count {
      let smallest = try zigzag("deltas")
      let first = position
      try skip(miniblocks, "deltas")
      for i in 0..<miniblocks where values.count < count {
        let width = Int(bytes[first + i])
        guard width <= 64 else { throw .bitWidth(width, limit: 64) }
        let start = position
        try skip(size / 8 * width, "deltas")
        var reader = BitReader(start..<position)
        for _ in 0..<min(size, count - values.count) {
          let delta = Int64(bitPattern: reader.next(width: width, from: bytes))
          last = last &+ smallest &+ delta
          values.append(last)
        }
      }
    }
    return values
  }

  /// Integers of a column; those of 32 bits wrap there.
  mutating func deltaIntegers(_ leaf: Leaf, _ count: Int) throws(ParquetProblem) -> PrimitiveValues
  {
    let values = try deltas(count)
    guard leaf.physical == .int32 else { return .integers(values) }
    return .integers(values.map { leaf.extended(UInt32(truncatingIfNeeded: $0)) })
  }

  /// Strings after the deltas of all their lengths. They stay where they are.
  mutating func deltaLengthStrings(_ count: Int) throws(ParquetProblem) -> ByteStrings {
    let lengths = try deltas(count)
    var starts = [UInt32](repeating: 0, count: count)
    var ends = starts
    var at = position
    for (i, length) in lengths.enumerated() {
      guard length >= 0 else { throw .stringLength(Int(length)) }
      guard length <= end - at else { throw .stringPastEnd(length: Int(length), left: end - at) }
      starts[i] = UInt32(truncatingIfNeeded: at)
      at += Int(length)
      ends[i] = UInt32(truncatingIfNeeded: at)
    }
    try skip(at - position, "strings")
    return ByteStrings(storage: bytes, starts: starts, ends: ends)
  }

  /// Strings as the length of what they share with the one before, and the rest.
  ///
  /// - Parameter limit: Bytes of all strings together: each may be much longer than what is stored.
  mutating func deltaStrings(_ count: Int, limit: Int) throws(ParquetProblem) -> ByteStrings {
    let prefixes = try deltas(count)
    let rest = try deltaLengthStrings(count)
    var storage: [UInt8] = []
    var starts = [UInt32](repeating: 0, count: count)
    var ends = starts
    var last = 0..<0
    for i in 0..<count {
      guard prefixes[i] >= 0, prefixes[i] <= last.count else {
        throw .prefix(Int(prefixes[i]), previous: last.count)
      }
      let suffix = rest[i]
      let start = storage.count
      guard Int(prefixes[i]) + suffix.count <= limit - start else {
        throw .tooMuchWork(limit: limit)
      }
      // By index: a slice would make a copy of all that is there.
      for position in last.prefix(Int(prefixes[i])) { storage.append(storage[position]) }
      storage += suffix
      last = start..<storage.count
      starts[i] = UInt32(truncatingIfNeeded: start)
      ends[i] = UInt32(truncatingIfNeeded: storage.count)
    }
    return ByteStrings(storage: storage, starts: starts, ends: ends)
  }
}
