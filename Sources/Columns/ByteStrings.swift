/// Strings of bytes, each a range of one storage: reading them copies nothing.
package struct ByteStrings: Sendable {
  package private(set) var storage: [UInt8]
  package private(set) var starts: [UInt32]
  package private(set) var ends: [UInt32]

  package init() { (storage, starts, ends) = ([], [], []) }

  /// String i is `storage[starts[i]..<ends[i]]`.
  package init(storage: [UInt8], starts: [UInt32], ends: [UInt32]) {
    precondition(starts.count == ends.count, "every string has a start and an end")
    self.storage = storage
    self.starts = starts
    self.ends = ends
  }

  package var count: Int { starts.count }

  package subscript(index: Int) -> ArraySlice<UInt8> {
    storage[Int(starts[index])..<Int(ends[index])]
  }

  /// Bytes of all strings together.
  package var byteCount: Int {
    var sum = 0
    for i in starts.indices { sum += Int(ends[i] - starts[i]) }
    return sum
  }

  /// The strings at `indices`, each of which must exist, over the same storage.
  package func gathering(_ indices: [UInt32]) -> ByteStrings {
    var (first, last): ([UInt32], [UInt32]) = ([], [])
    first.reserveCapacity(indices.count)
    last.reserveCapacity(indices.count)
    for index in indices {
      first.append(starts[Int(index)])
      last.append(ends[Int(index)])
    }
    return ByteStrings(storage: storage, starts: first, ends: last)
  }

  /// The strings of `range`, over the same storage.
  package func slice(_ range: Range<Int>) -> ByteStrings {
    if range == 0..<count { return self }
    return ByteStrings(storage: storage, starts: Array(starts[range]), ends: Array(ends[range]))
  }

  package mutating func append(_ other: ByteStrings) {
    if count == 0 {
      self = other
      return
    }
    for i in 0..<other.count {
      starts.append(UInt32(storage.count))
      storage += other[i]
      ends.append(UInt32(storage.count))
    }
  }

  /// One string for each of `isThere`: the next one where it is true, an empty one elsewhere.
  package func spread(_ isThere: [Bool]) -> ByteStrings {
    ByteStrings(
      storage: storage, starts: Columns.spread(starts, isThere, 0),
      ends: Columns.spread(ends, isThere, 0))
  }
}

/// One value for each of `isThere`: the next one where it is true, `filler` elsewhere.
func spread<Value>(_ values: [Value], _ isThere: [Bool], _ filler: Value) -> [Value] {
  var result: [Value] = []
  result.reserveCapacity(isThere.count)
  var next = 0
  for there in isThere {
    result.append(there ? values[next] : filler)
    if there { next += 1 }
  }
  return result
}
