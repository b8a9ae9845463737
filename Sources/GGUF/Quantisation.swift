import CConversions
package import Tensors

extension BlockType {
  /// Whether `dequantise` decodes this type.
  package var isDecodable: Bool {
    switch self {
    case .q40, .q41, .q50, .q51, .q80, .q2K, .q3K, .q4K, .q5K, .q6K: true
    default: false
    }
  }
}

/// Decodes quantised blocks to float32, bit for bit as ggml does.
///
/// - Parameters:
///   - bytes: The blocks of `values.count` elements, a whole number, at any alignment.
///   - values: Overwritten.
/// - Throws: `GGUFError` for types that are not decoded.
package func dequantise(
  _ bytes: RawSpan, as type: BlockType, into values: inout MutableSpan<Float>
) throws(GGUFError) {
  guard type.isDecodable else { throw GGUFError(.noDequantiser(type)) }
  let count = values.count / type.elementCount
  precondition(
    values.count % type.elementCount == 0 && bytes.byteCount == count * type.byteCount,
    "whole blocks, as many as values")
  unsafe bytes.withUnsafeBytes { source in
    unsafe values.withUnsafeMutableBufferPointer { target in
      guard let start = source.baseAddress, let to = target.baseAddress else { return }
      let from = unsafe start.assumingMemoryBound(to: UInt8.self)
      // SAFETY: both lengths were checked above.
      switch type {
      case .q40: unsafe ck_dequantise_q4_0(from, to, count)
      case .q41: unsafe ck_dequantise_q4_1(from, to, count)
      case .q50: unsafe ck_dequantise_q5_0(from, to, count)
      case .q51: unsafe ck_dequantise_q5_1(from, to, count)
      case .q80: unsafe ck_dequantise_q8_0(from, to, count)
      case .q2K: unsafe ck_dequantise_q2_k(from, to, count)
      case .q3K: unsafe ck_dequantise_q3_k(from, to, count)
      case .q4K: unsafe ck_dequantise_q4_k(from, to, count)
      case .q5K: unsafe ck_dequantise_q5_k(from, to, count)
      case .q6K: unsafe ck_dequantise_q6_k(from, to, count)
      default: break
      }
    }
  }
}

/// Encodes float32 values as Q8_0 blocks, as ggml's reference does.
///
/// A block whose scale exceeds float16 decodes to infinities, one with an infinity or NaN to NaNs;
/// the values of both are counted in the result.
///
/// - Parameters:
///   - values: A multiple of 32.
///   - bytes: Room for exactly the blocks of `values`; overwritten.
package func quantiseQ80(_ values: Span<Float>, into bytes: inout MutableRawSpan) -> Overflow {
  let count = values.count / 32
  precondition(
    values.count % 32 == 0 && bytes.byteCount == count * BlockType.q80.byteCount,
    "whole blocks, as many as values")
  var top: Float = 0
  let lost = unsafe values.withUnsafeBufferPointer { source in
    unsafe bytes.withUnsafeMutableBytes { target in
      guard let from = source.baseAddress, let start = target.baseAddress else { return 0 }
      // SAFETY: both lengths were checked above.
      return unsafe ck_quantise_q8_0(from, start.assumingMemoryBound(to: UInt8.self), count, &top)
    }
  }
  return Overflow(count: lost, maximum: top)
}
