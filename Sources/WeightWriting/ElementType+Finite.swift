import CKernels
import Tensors

extension ElementType {
  /// Whether some element is NaN, infinite, or too large for float32.
  ///
  /// - Parameter bytes: Whole elements.
  /// - Throws: `ConversionError` for complex types.
  func hasNonFinite(_ bytes: RawSpan) throws(ConversionError) -> Bool {
    let count = bytes.byteCount * 8 / bitWidth
    if [.f32, .f16, .bf16].contains(self), let found = lookInPlace(bytes, count) { return found }
    var values = [Float](repeating: 0, count: count)
    var span = values.mutableSpan
    try decode(bytes, as: self, into: &span)
    return values.contains { !$0.isFinite }
  }

  /// The same without a copy, of the types that weights have; nil where the bytes are not aligned.
  private func lookInPlace(_ bytes: RawSpan, _ count: Int) -> Bool? {
    unsafe bytes.withUnsafeBytes { source in
      // SAFETY: there are `count` elements, and they are aligned.
      guard let start = source.baseAddress,
        Int(bitPattern: start).isMultiple(of: bitWidth / 8)
      else { return nil }
      if self == .f32 {
        return unsafe ck_has_non_finite(start.assumingMemoryBound(to: Float.self), count) != 0
      }
      let exponent: UInt16 = self == .f16 ? 0x7C00 : 0x7F80
      let words = unsafe start.assumingMemoryBound(to: UInt16.self)
      return unsafe ck_has_non_finite_16(words, count, exponent) != 0
    }
  }
}
