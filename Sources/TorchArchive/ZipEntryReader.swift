import ByteIO

extension ZipEntry {
  /// Throws when `computed` is not the directory's CRC-32; zero there means that none was computed.
  func require(_ computed: UInt32, in region: ByteRegion) throws(TorchError) {
    guard checksum == computed || checksum == 0 else {
      throw TorchError(
        .checksum(entry: name, expected: checksum, computed: computed), in: region,
        at: headerOffset)
    }
  }

  /// The whole of a small entry, checksum verified.
  func contents(in region: ByteRegion, limit: Int) throws(TorchError) -> [UInt8] {
    guard byteCount <= limit else {
      throw TorchError(
        .recordTooLarge(name, byteCount: byteCount, limit: limit), in: region, at: headerOffset)
    }
    switch method {
    case .stored:
      let bytes = try region.torchBytes(range)
      try require(crc32(bytes.rawSpan), in: region)
      return bytes
    case .deflated:
      var bytes = [UInt8](repeating: 0, count: byteCount)
      var stream = InflatingStream(self, in: region)
      var raw = bytes.mutableRawSpan
      try stream.read(into: &raw)
      return bytes
    }
  }

  /// Reads the whole entry, a tile at a time, and verifies its checksum and size.
  func check(in region: ByteRegion) throws(TorchError) {
    let tile = 1 << 20
    var buffer = [UInt8](repeating: 0, count: min(tile, byteCount))
    if method == .deflated {
      var stream = InflatingStream(self, in: region)
      return try stream.skip(byteCount)
    }
    var computed: UInt32 = 0
    var done = 0
    while done < byteCount {
      let count = min(tile, byteCount - done)
      if buffer.count > count { buffer.removeLast(buffer.count - count) }
      var bytes = buffer.mutableRawSpan
      do {
        try region.read(at: dataOffset + done, into: &bytes)
      } catch {
        throw TorchError(.file(error), path: region.path)
      }
      computed = crc32(buffer.rawSpan, after: computed)
      done += count
    }
    try require(computed, in: region)
  }
}
