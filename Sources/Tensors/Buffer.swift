import Platform

/// Zeroed memory of our own, aligned to a page, freed with its last reference.
///
/// A buffer is shared freely: views of it are handed to kernels that run on several threads, each
/// on a part of its own. Large buffers ask for huge pages, which the matrix products feel.
@safe
package final class Buffer: @unchecked Sendable {
  package let byteCount: Int
  /// The first byte. Kernels check extents before they use it.
  @unsafe package let address: UnsafeMutableRawPointer

  private let mappedByteCount: Int
  @unsafe private let mapping: UnsafeMutableRawPointer

  private static let hugePage = 1 << 21

  /// - Throws: `MemoryError` when the system has no such memory.
  package init(byteCount: Int) throws(MemoryError) {
    guard byteCount >= 0, byteCount <= Int.max / 2 else { throw MemoryError(byteCount) }
    let isLarge = byteCount >= Self.hugePage
    let padding = isLarge ? Self.hugePage : 0
    self.byteCount = byteCount
    mappedByteCount = max(byteCount, 1) + padding
    // SAFETY: the mapping is owned by this object until `deinit`.
    guard let memory = unsafe mapMemory(mappedByteCount) else { throw MemoryError(byteCount) }
    unsafe mapping = memory
    // SAFETY: the padding holds the rounding up.
    unsafe address = isLarge ? memory.alignedUp(toMultipleOf: Self.hugePage) : memory
    if isLarge { unsafe preferHugePages(memory, mappedByteCount) }
  }

  /// Room for `floats` values, all 0.
  package convenience init(floats: Int) throws(MemoryError) {
    let (bytes, overflow) = floats.multipliedReportingOverflow(by: 4)
    guard !overflow else { throw MemoryError(Int.max) }
    try self.init(byteCount: bytes)
  }

  deinit { unsafe unmapMemory(mapping, mappedByteCount) }

  /// Number of whole floats.
  package var floatCount: Int { byteCount / 4 }

  /// The floats of `range`, borrowed.
  package func withFloats<R, E: Error>(
    _ range: Range<Int>, _ body: (Span<Float>) throws(E) -> R
  ) throws(E) -> R {
    precondition(range.lowerBound >= 0 && range.upperBound <= floatCount, "floats of the buffer")
    // SAFETY: the range lies within the allocation, which lives as long as this object.
    let base = unsafe address.assumingMemoryBound(to: Float.self) + range.lowerBound
    let span = unsafe Span(_unsafeStart: base, count: range.count)
    return try body(span)
  }

  /// The floats of `range`, to be overwritten by one thread at a time.
  package func withMutableFloats<R, E: Error>(
    _ range: Range<Int>, _ body: (inout MutableSpan<Float>) throws(E) -> R
  ) throws(E) -> R {
    precondition(range.lowerBound >= 0 && range.upperBound <= floatCount, "floats of the buffer")
    // SAFETY: as above.
    let base = unsafe address.assumingMemoryBound(to: Float.self) + range.lowerBound
    var span = unsafe MutableSpan(_unsafeStart: base, count: range.count)
    return try body(&span)
  }

  /// All bytes, to be overwritten by one thread at a time.
  package func withMutableBytes<R, E: Error>(
    _ body: (inout MutableRawSpan) throws(E) -> R
  ) throws(E) -> R {
    // SAFETY: as above.
    var span = unsafe MutableRawSpan(_unsafeStart: address, byteCount: byteCount)
    return try body(&span)
  }

  /// Copies bytes from `offset` on into `bytes`.
  package func read(at offset: Int, into bytes: inout MutableRawSpan) {
    let count = bytes.byteCount
    precondition(offset >= 0 && count <= byteCount - offset, "bytes of the buffer")
    // SAFETY: as above.
    unsafe bytes.withUnsafeMutableBytes { target in
      unsafe target.copyMemory(
        from: UnsafeRawBufferPointer(start: address + offset, count: count))
    }
  }

  /// A copy of the floats of `range`.
  package func floats(_ range: Range<Int>) -> [Float] {
    withFloats(range) { span in
      unsafe span.withUnsafeBufferPointer { unsafe [Float]($0) }
    }
  }

  package subscript(index: Int) -> Float {
    get {
      precondition(index >= 0 && index < floatCount, "an index of the buffer")
      return unsafe address.assumingMemoryBound(to: Float.self)[index]
    }
    set {
      precondition(index >= 0 && index < floatCount, "an index of the buffer")
      unsafe address.assumingMemoryBound(to: Float.self)[index] = newValue
    }
  }
}
