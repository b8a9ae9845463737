import CBrotli

/// Decodes a Brotli stream; bytes written, or nil for anything else.
func decompressBrotli(_ input: RawSpan, into output: inout MutableRawSpan) -> Int? {
  var made = output.byteCount
  // SAFETY: the library reads within the size given, and writes no more than `made` bytes.
  let result = unsafe input.withUnsafeBytes { source in
    unsafe output.withUnsafeMutableBytes { target in
      unsafe BrotliDecoderDecompress(
        source.count, source.baseAddress?.assumingMemoryBound(to: UInt8.self), &made,
        target.baseAddress?.assumingMemoryBound(to: UInt8.self))
    }
  }
  return result == BROTLI_DECODER_RESULT_SUCCESS ? made : nil
}
