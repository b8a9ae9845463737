import ByteIO
import CLZ4

/// Decodes a bare LZ4 block; bytes written, or nil for anything else.
func decompressLZ4Block(_ input: RawSpan, into output: inout MutableRawSpan) -> Int? {
  guard let size = Int32(exactly: input.byteCount), let room = Int32(exactly: output.byteCount)
  else { return nil }
  // SAFETY: the `safe` function reads and writes within the sizes given.
  let made = unsafe input.withUnsafeBytes { source in
    unsafe output.withUnsafeMutableBytes { target in
      unsafe LZ4_decompress_safe(
        source.baseAddress?.assumingMemoryBound(to: CChar.self),
        target.baseAddress?.assumingMemoryBound(to: CChar.self), size, room)
    }
  }
  return made >= 0 ? Int(made) : nil
}

/// Decodes what Hadoop's codec writes; bytes written, or nil for anything else.
///
/// A frame says how many bytes it makes, in 32 bits, the highest first; blocks that make them follow, each
/// after its own size, likewise. One bare block is taken as well: Arrow once called it by the same name.
func decompressHadoopLZ4(_ input: RawSpan, into output: inout MutableRawSpan) -> Int? {
  decompressHadoopFrames(input, into: &output) ?? decompressLZ4Block(input, into: &output)
}

private func decompressHadoopFrames(_ input: RawSpan, into output: inout MutableRawSpan) -> Int? {
  var reader = ByteReader(input)
  var made = 0
  while reader.remaining > 0 {
    guard let stated = try? reader.read(UInt32.self) else { return nil }
    let frame = Int(stated.byteSwapped)
    guard frame > 0, frame <= output.byteCount - made else { return nil }
    let end = made + frame
    while made < end {
      guard let stated = try? reader.read(UInt32.self) else { return nil }
      let block = Int(stated.byteSwapped)
      guard block > 0, block <= reader.remaining else { return nil }
      let next = reader.offset + block
      var room = output._mutatingExtracting(made..<end)
      guard let count = decompressLZ4Block(input.extracting(reader.offset..<next), into: &room),
        (try? reader.seek(to: next)) != nil
      else { return nil }
      made += count
    }
  }
  return made
}

/// Decodes an LZ4 frame; bytes written, or nil for anything else.
func decompressLZ4Frame(_ input: RawSpan, into output: inout MutableRawSpan) -> Int? {
  var context: OpaquePointer?
  guard unsafe LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0
  else { return nil }
  defer { unsafe LZ4F_freeDecompressionContext(context) }
  var (taken, made) = (0, 0)
  while true {
    var (size, room) = (input.byteCount - taken, output.byteCount - made)
    // SAFETY: both positions lie within; the library reads and writes within the sizes given.
    let next = unsafe input.withUnsafeBytes { source in
      unsafe output.withUnsafeMutableBytes { target in
        unsafe LZ4F_decompress(
          context, target.baseAddress.map { unsafe $0 + made }, &room,
          source.baseAddress.map { unsafe $0 + taken }, &size, nil)
      }
    }
    guard LZ4F_isError(next) == 0 else { return nil }
    taken += size
    made += room
    if next == 0 { return taken == input.byteCount ? made : nil }
    guard size > 0 || room > 0 else { return nil }
  }
}
