import ByteIO

extension ZipEntry {
  private static let localByteCount = 30

  /// Compares the local header with the directory, and takes the data's position from it: its extra
  /// field differs from the directory's, because it holds the padding.
  ///
  /// - Parameter limit: Where the central directory begins.
  mutating func readLocalHeader(_ region: ByteRegion, limit: Int) throws(TorchError) {
    // One read fetches header and name.
    let wanted = headerOffset + Self.localByteCount + name.utf8.count
    let bytes = try region.torchBytes(headerOffset..<min(limit, wanted))
    var reader = ZipRecordReader(bytes, region, base: headerOffset)
    let header = try reader.localHeader(self)
    let nameEnd = headerOffset + Self.localByteCount + header.name
    dataOffset = nameEnd + header.extra
    guard dataOffset <= limit, compressedCount <= limit - dataOffset else {
      throw TorchError(
        .dataPastEnd(entry: name, end: UInt64(dataOffset + compressedCount), limit: limit),
        in: region, at: headerOffset)
    }
    let local = bytes[min(bytes.count, Self.localByteCount)...]
    guard header.name == name.utf8.count, local.elementsEqual(name.utf8) else {
      let found = try region.torchBytes((nameEnd - header.name)..<nameEnd)
      throw TorchError(
        .nameMismatch(central: name, local: String(decoding: found, as: UTF8.self)), in: region,
        at: headerOffset)
    }
    var (compressed, count, ignored) = (header.sizes[0], header.sizes[1], UInt64(0))
    if compressed == 0xFFFF_FFFF || count == 0xFFFF_FFFF {
      let extra = try region.torchBytes(nameEnd..<dataOffset)
      try ZipRecordReader.widen(&count, &compressed, &ignored, by: extra[...]) {
        reader.zip64(name, at: 0)
      }
    }
    // A writer that streams knows the sizes only afterwards, and puts zeros.
    if hasDescriptor, compressed == 0, count == 0 { return }
    guard compressed == UInt64(compressedCount) else {
      throw reader.mismatch(self, "compressed size", UInt64(compressedCount), compressed)
    }
    guard count == UInt64(byteCount) else {
      throw reader.mismatch(self, "size", UInt64(byteCount), count)
    }
  }
}
