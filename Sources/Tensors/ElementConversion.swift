import ByteIO
import CConversions

/// Decodes elements of `type` to float32, exactly where float32 can hold the value and rounded to
/// nearest even otherwise (f64, wide integers); NaNs keep their payload, a bool is 0 or 1.
///
/// Elements narrower than a byte lie in a little-endian stream of bits, first element lowest.
///
/// - Parameters:
///   - bytes: As many elements as `values` has, at any alignment.
///   - values: Overwritten.
/// - Throws: `ConversionError` for complex types.
package func decode(
  _ bytes: RawSpan, as type: ElementType, into values: inout MutableSpan<Float>
) throws(ConversionError) {
  let count = values.count
  precondition(
    StorageType.element(type).byteCount(elements: count) == bytes.byteCount,
    "as many elements of bytes as values")
  if count == 0 { return }
  let isDecoded = unsafe bytes.withUnsafeBytes { source in
    unsafe values.withUnsafeMutableBufferPointer { target in
      guard let from = source.baseAddress, let to = target.baseAddress else { return true }
      return unsafe decode(type, from.assumingMemoryBound(to: UInt8.self), to, count)
    }
  }
  if !isDecoded { throw ConversionError(.noValue(type)) }
}

// SAFETY: for this and the following function the callers have checked both lengths.
private func decode(
  _ type: ElementType, _ from: UnsafePointer<UInt8>, _ to: UnsafeMutablePointer<Float>, _ count: Int
) -> Bool {
  switch type {
  case .f64: unsafe ck_decode_f64(from, to, count)
  case .f32: unsafe ck_decode_f32(from, to, count)
  case .f16: unsafe ck_decode_f16(from, to, count)
  case .bf16: unsafe ck_decode_bf16(from, to, count)
  case .f8E4M3: unsafe ck_decode_f8_e4m3(from, to, count)
  case .f8E5M2: unsafe ck_decode_f8_e5m2(from, to, count)
  case .f8E4M3FNUZ: unsafe ck_decode_f8_e4m3fnuz(from, to, count)
  case .f8E5M2FNUZ: unsafe ck_decode_f8_e5m2fnuz(from, to, count)
  case .f8E8M0: unsafe ck_decode_f8_e8m0(from, to, count)
  case .f6E2M3: unsafe ck_decode_f6_e2m3(from, to, count)
  case .f6E3M2: unsafe ck_decode_f6_e3m2(from, to, count)
  case .f4: unsafe ck_decode_f4(from, to, count)
  case .bool: unsafe ck_decode_bool(from, to, count)
  case .i8: unsafe ck_decode_i8(from, to, count)
  case .u8: unsafe ck_decode_u8(from, to, count)
  case .i16: unsafe ck_decode_i16(from, to, count)
  case .u16: unsafe ck_decode_u16(from, to, count)
  case .i32: unsafe ck_decode_i32(from, to, count)
  case .u32: unsafe ck_decode_u32(from, to, count)
  case .i64: unsafe ck_decode_i64(from, to, count)
  case .u64: unsafe ck_decode_u64(from, to, count)
  case .c64, .c128: return false
  }
  return true
}

/// Casts float32 values to `type`, rounding to nearest even.
///
/// A finite value too large for the type becomes infinite, 448 with its sign for F8_E4M3, and NaN
/// for the FNUZ types, as in PyTorch; so does an infinite one where the type has no infinity. Both
/// are counted in the result: callers refuse them unless the user allowed overflow. Subnormal
/// results are kept; NaN stays NaN.
///
/// - Parameters:
///   - bytes: Room for exactly `values.count` elements; overwritten.
/// - Throws: `ConversionError` when `type` is not F64, F32, F16, BF16, F8_E4M3, F8_E5M2 or one of
///   their FNUZ variants.
package func encode(
  _ values: Span<Float>, as type: ElementType, into bytes: inout MutableRawSpan
) throws(ConversionError) -> Overflow {
  let count = values.count
  precondition(
    StorageType.element(type).byteCount(elements: count) == bytes.byteCount,
    "as many elements of bytes as values")
  if count == 0 { return .zero }
  let overflow = unsafe values.withUnsafeBufferPointer { source in
    unsafe bytes.withUnsafeMutableBytes { target -> Overflow? in
      guard let from = source.baseAddress, let to = target.baseAddress else { return .zero }
      return unsafe encode(type, from, to.assumingMemoryBound(to: UInt8.self), count)
    }
  }
  guard let overflow else { throw ConversionError(.noCast(to: type)) }
  return overflow
}

private func encode(
  _ type: ElementType, _ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<UInt8>, _ count: Int
) -> Overflow? {
  var top: Float = 0
  let lost: Int
  switch type {
  case .f64:
    unsafe ck_encode_f64(from, to, count)
    return .zero
  case .f32:
    unsafe UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: count * 4)
    return .zero
  case .f16: lost = unsafe ck_encode_f16(from, to, count, &top)
  case .bf16: lost = unsafe ck_encode_bf16(from, to, count, &top)
  case .f8E4M3: lost = unsafe ck_encode_f8_e4m3(from, to, count, &top)
  case .f8E5M2: lost = unsafe ck_encode_f8_e5m2(from, to, count, &top)
  case .f8E4M3FNUZ: lost = unsafe ck_encode_f8_e4m3fnuz(from, to, count, &top)
  case .f8E5M2FNUZ: lost = unsafe ck_encode_f8_e5m2fnuz(from, to, count, &top)
  default: return nil
  }
  return Overflow(count: lost, maximum: top)
}

/// Casts stored floating-point elements from one type to another with a single rounding.
///
/// - Parameters:
///   - bytes: Whole elements of `source`, at any alignment.
///   - result: Room for as many elements of `target`; overwritten.
/// - Returns: What `encode` returns.
/// - Throws: `ConversionError` when `source` is not floating-point or nothing is cast to `target`.
package func cast(
  _ bytes: RawSpan, from source: ElementType, to target: ElementType,
  into result: inout MutableRawSpan
) throws(ConversionError) -> Overflow {
  guard source.isFloatingPoint else { throw ConversionError(.noValue(source)) }
  let count = bytes.byteCount * 8 / source.bitWidth
  precondition(
    StorageType.element(target).byteCount(elements: count) == result.byteCount,
    "as many elements of result as of bytes")
  if source == target {
    unsafe result.withUnsafeMutableBytes { to in
      unsafe bytes.withUnsafeBytes { unsafe to.copyMemory(from: $0) }
    }
    return .zero
  }
  let tile = 1 << 13  // elements; a multiple of eight keeps packed types on whole bytes
  var values = [Float](repeating: 0, count: min(tile, count))
  var overflow = Overflow.zero
  var done = 0
  while done < count {
    let length = min(tile, count - done)
    let part = bytes.extracting(range(of: source, from: done, count: length))
    var all = values.mutableSpan
    var span = all._mutatingExtracting(first: length)
    if source == .f64 {
      overflow += decodeDouble(part, roundToOdd: target != .f32, into: &span)
    } else {
      try decode(part, as: source, into: &span)
    }
    var output = result._mutatingExtracting(range(of: target, from: done, count: length))
    overflow += try encode(span.span, as: target, into: &output)
    done += length
  }
  return overflow
}

/// Where `count` elements from `start` lie; both make whole bytes.
private func range(of type: ElementType, from start: Int, count: Int) -> Range<Int> {
  start * type.bitWidth / 8..<(start + count) * type.bitWidth / 8
}

/// Float64 to float32: to nearest for float32 itself, to odd when another rounding follows.
private func decodeDouble(
  _ bytes: RawSpan, roundToOdd: Bool, into values: inout MutableSpan<Float>
) -> Overflow {
  let count = values.count
  var top: Float = 0
  let lost = unsafe bytes.withUnsafeBytes { source in
    unsafe values.withUnsafeMutableBufferPointer { target in
      guard let to = target.baseAddress, let start = source.baseAddress else { return 0 }
      let from = unsafe start.assumingMemoryBound(to: UInt8.self)
      guard roundToOdd else { return unsafe ck_f64_to_f32(from, to, count, &top) }
      unsafe ck_f64_to_f32_odd(from, to, count)
      return 0
    }
  }
  return Overflow(count: lost, maximum: top)
}
