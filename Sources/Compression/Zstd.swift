import CZstd

/// Decodes Zstandard frames; bytes written, or nil for anything else.
func decompressZstd(_ input: RawSpan, into output: inout MutableRawSpan) -> Int? {
  // SAFETY: the library reads and writes within the sizes given.
  let made = unsafe input.withUnsafeBytes { source in
    unsafe output.withUnsafeMutableBytes { target in
      unsafe ZSTD_decompress(
        target.baseAddress, target.count, source.baseAddress, source.count)
    }
  }
  return ZSTD_isError(made) == 0 ? made : nil
}
