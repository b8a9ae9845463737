import ByteIO
import Compression

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
    if method == .deflated {
      var stream = InflatingStream(self, in: region)
      return try stream.skip(byteCount)
    }
    guard let stored = region.subregion(range) else {
      preconditionFailure("the directory's reader has placed the entry inside the file")
    }
    var computed: UInt32 = 0
    do throws(FileError) {
      try stored.forEachTile { (bytes) throws(FileError) in
        computed = crc32(bytes, after: computed)
      }
    } catch {
      throw TorchError(.file(error), path: region.path)
    }
    try require(computed, in: region)
  }
}
