import CSnappy

/// Decodes a Snappy block; bytes written, or nil for anything else.
func decompressSnappy(_ input: RawSpan, into output: inout MutableRawSpan) -> Int? {
  var made = output.byteCount
  // SAFETY: the library reads within the size given, and writes no more than `made` bytes.
  let status = unsafe input.withUnsafeBytes { source in
    unsafe output.withUnsafeMutableBytes { target in
      unsafe snappy_uncompress(
        source.baseAddress?.assumingMemoryBound(to: CChar.self), source.count,
        target.baseAddress?.assumingMemoryBound(to: CChar.self), &made)
    }
  }
  return status == SNAPPY_OK ? made : nil
}
