/// The bytes ended inside a field.
package struct Truncated: Error, Equatable, Sendable {
  /// Position of the field.
  package var offset: Int
  /// Bytes the field needs.
  package var needed: Int
  /// Bytes that remain.
  package var left: Int

  package init(offset: Int, needed: Int, left: Int) {
    self.offset = offset
    self.needed = needed
    self.left = left
  }
}

/// Reads little-endian fields one after another from borrowed bytes.
///
/// Every read is bounds-checked; a failed read leaves `offset` where it was.
@safe
package struct ByteReader: ~Escapable {
  private let bytes: RawSpan
  package private(set) var offset: Int

  @_lifetime(copy bytes)
  package init(_ bytes: RawSpan, at offset: Int = 0) {
    self.bytes = bytes
    self.offset = min(max(0, offset), bytes.byteCount)
  }

  package var remaining: Int { bytes.byteCount - offset }

  /// Moves to `position`, which may be the end but not beyond.
  @_lifetime(self: copy self)
  package mutating func seek(to position: Int) throws(Truncated) {
    guard position >= 0, position <= bytes.byteCount else {
      throw Truncated(offset: offset, needed: position, left: remaining)
    }
    offset = position
  }

  /// Reads one little-endian integer.
  @_lifetime(self: copy self)
  package mutating func read<Value: FixedWidthInteger & BitwiseCopyable>(
    _: Value.Type
  ) throws(Truncated) -> Value {
    let size = MemoryLayout<Value>.size
    guard size <= remaining else { throw Truncated(offset: offset, needed: size, left: remaining) }
    // SAFETY: offset..<offset + size lies within bytes, by the guard.
    let value = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Value.self)
    offset += size
    return Value(littleEndian: value)
  }

  /// Reads `count` bytes into an array; nothing is allocated when fewer remain.
  @_lifetime(self: copy self)
  package mutating func readBytes(_ count: Int) throws(Truncated) -> [UInt8] {
    guard count >= 0, count <= remaining else {
      throw Truncated(offset: offset, needed: count, left: remaining)
    }
    let start = offset
    offset += count
    return unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0[start..<(start + count)]) }
  }

  /// Steps over `count` bytes.
  @_lifetime(self: copy self)
  package mutating func skip(_ count: Int) throws(Truncated) {
    guard count >= 0, count <= remaining else {
      throw Truncated(offset: offset, needed: count, left: remaining)
    }
    offset += count
  }
}
