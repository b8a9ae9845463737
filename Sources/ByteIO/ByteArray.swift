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
