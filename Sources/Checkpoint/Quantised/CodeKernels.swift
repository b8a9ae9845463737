import CConversions

/// Takes from each value its run's zero point, if there is any, and multiplies by its run's scale.
/// Runs are `width` values long, the last one may be shorter.
func scale(
  _ values: inout MutableSpan<Float>, by scales: Span<Float>, minus zeros: Span<Float>?, width: Int
) {
  let count = values.count
  precondition(
    width > 0 && (count == 0 || (count - 1) / width < scales.count)
      && zeros?.count ?? scales.count == scales.count, "a scale for each run")
  unsafe values.withUnsafeMutableBufferPointer { values in
    unsafe scales.withUnsafeBufferPointer { scales in
      guard let to = values.baseAddress, let by = scales.baseAddress else { return }
      // SAFETY: the lengths were checked above.
      guard let zeros else { return unsafe ck_scale_runs(to, count, width, nil, by) }
      unsafe zeros.withUnsafeBufferPointer {
        unsafe ck_scale_runs(to, count, width, $0.baseAddress, by)
      }
    }
  }
}

/// The same, where each value's scale and zero point are those at its `index`, which is checked.
func scale(
  _ values: inout MutableSpan<Float>, by scales: Span<Float>, minus zeros: Span<Float>?,
  index: Span<Int32>
) {
  let count = values.count
  precondition(
    index.count == count && zeros?.count ?? scales.count == scales.count, "an index for each value")
  unsafe values.withUnsafeMutableBufferPointer { values in
    unsafe scales.withUnsafeBufferPointer { scales in
      unsafe index.withUnsafeBufferPointer { index in
        guard let to = values.baseAddress, let by = scales.baseAddress,
          let index = index.baseAddress
        else { return }
        // SAFETY: the lengths were checked above, the indices by `ColumnGroups`.
        guard let zeros else { return unsafe ck_scale_indexed(to, count, index, nil, by) }
        unsafe zeros.withUnsafeBufferPointer {
          unsafe ck_scale_indexed(to, count, index, $0.baseAddress, by)
        }
      }
    }
  }
}

/// Decodes unsigned codes of 1 to 8 bits from a little-endian stream, first code lowest.
///
/// - Parameter bytes: At least as many as the codes take.
func unpackStream(_ bytes: RawSpan, bits: Int, into values: inout MutableSpan<Float>) {
  let count = values.count
  precondition(
    (1...8).contains(bits) && bytes.byteCount >= (count * bits + 7) / 8, "bytes of all codes")
  unsafe values.withUnsafeMutableBufferPointer { values in
    unsafe bytes.withUnsafeBytes { bytes in
      guard let to = values.baseAddress, let start = bytes.baseAddress else { return }
      // SAFETY: the lengths were checked above.
      unsafe ck_unpack_codes(start.assumingMemoryBound(to: UInt8.self), to, count, UInt32(bits))
    }
  }
}

/// Copies bytes; both have one length.
func copy(_ bytes: RawSpan, into target: inout MutableRawSpan) {
  precondition(bytes.byteCount == target.byteCount, "one length")
  unsafe target.withUnsafeMutableBytes { to in
    unsafe bytes.withUnsafeBytes { unsafe to.copyMemory(from: $0) }
  }
}

/// Copies columns of a matrix into rows of another: column `only.lowerBound + i` of `values` to the
/// places from `i * stride + start` on of `target`.
func transpose(
  _ values: Span<Float>, rows: Int, columns: Int, only: Range<Int>,
  into target: inout MutableSpan<Float>, at start: Int, stride: Int
) {
  precondition(
    values.count == rows * columns && only.lowerBound >= 0 && only.upperBound <= columns
      && start + rows <= stride && target.count == only.count * stride, "both matrices")
  unsafe values.withUnsafeBufferPointer { values in
    unsafe target.withUnsafeMutableBufferPointer { target in
      guard let from = values.baseAddress, let to = target.baseAddress else { return }
      // SAFETY: the lengths were checked above.
      unsafe ck_transpose(
        from + only.lowerBound, rows, columns, only.count, to + start, stride)
    }
  }
}

/// The words of a matrix with `rows` rows of `columns` words of 32 bits, column after column.
func transposedWords(_ bytes: [UInt8], rows: Int, columns: Int) -> [UInt8] {
  precondition(bytes.count == rows * columns * 4, "the matrix")
  var result = [UInt8](repeating: 0, count: bytes.count)
  unsafe bytes.withUnsafeBufferPointer { from in
    unsafe result.withUnsafeMutableBufferPointer { to in
      guard let from = from.baseAddress, let to = to.baseAddress else { return }
      // SAFETY: both hold the whole matrix.
      unsafe ck_transpose_words(from, rows, columns, to)
    }
  }
  return result
}

/// Decodes one code of `bits` bits from each word of 32 bits, at bit `shift` of it.
func unpackWords(_ bytes: RawSpan, shift: Int, bits: Int, into values: inout MutableSpan<Float>) {
  let count = values.count
  precondition(
    bytes.byteCount == count * 4 && bits > 0 && shift >= 0 && shift + bits <= 32, "a word a value")
  unsafe values.withUnsafeMutableBufferPointer { values in
    unsafe bytes.withUnsafeBytes { bytes in
      guard let to = values.baseAddress, let start = bytes.baseAddress else { return }
      // SAFETY: the lengths were checked above.
      unsafe ck_unpack_words(
        start.assumingMemoryBound(to: UInt8.self), to, count, UInt32(shift), UInt32(bits))
    }
  }
}

/// How many of the values are infinite.
func infinityCount(_ values: Span<Float>) -> Int {
  unsafe values.withUnsafeBufferPointer { values in
    guard let start = values.baseAddress else { return 0 }
    // SAFETY: the buffer's own length.
    return unsafe ck_count_infinite(start, values.count)
  }
}
