extension [UInt8] {
  /// The array's bytes, borrowed.
  package var rawSpan: RawSpan {
    @_lifetime(borrow self)
    get {
      // SAFETY: a byte has no padding.
      unsafe span.bytes
    }
  }

  /// The array's bytes, to be overwritten in place.
  package var mutableRawSpan: MutableRawSpan {
    @_lifetime(&self)
    mutating get {
      let count = self.count
      // SAFETY: the span covers the array's storage, and holds it exclusively while it lives.
      let raw = unsafe withUnsafeMutableBytes { $0.baseAddress }
      guard let raw = unsafe raw else { return MutableRawSpan() }
      return unsafe _overrideLifetime(
        MutableRawSpan(_unsafeStart: raw, byteCount: count), mutating: &self)
    }
  }

  /// Appends the bytes of `value`, lowest first.
  package mutating func append(littleEndian value: some FixedWidthInteger) {
    var rest = value
    for _ in 0..<value.bitWidth / 8 {
      append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }
}

extension [UInt8] {
  /// At most `capacity` bytes that `fill` writes; it gives the number of those it wrote, from the first
  /// on. Memory that it does not write is not touched.
  package init(capacity: Int, fill: (inout MutableRawSpan) -> Int) {
    unsafe self.init(unsafeUninitializedCapacity: capacity) { buffer, count in
      // SAFETY: the span covers the new array's storage alone; `fill` states what it has written.
      var span = unsafe MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(buffer))
      count = Swift.min(fill(&span), capacity)
    }
  }
}
