package import ByteIO
import Compression

/// Writes a PyTorch file from start to end: the records of a layout, filled with whatever bytes the
/// caller streams, in the order of the layout's entries.
package struct TorchWriter: ~Copyable {
  package let layout: TorchLayout
  private var output: OutputFile
  /// The directory's entries so far: those of the records that are complete.
  private var written: [ZipEntry] = []
  /// CRC-32 of the current record's bytes so far; nil before its header is written.
  private var checksum: UInt32?

  /// Creates the file, which must not exist.
  package init(creating path: String, layout: TorchLayout) throws(FileError) {
    self.layout = layout
    output = try OutputFile(creating: path)
  }

  /// Appends bytes of the tensors; pieces may be of any size.
  package mutating func write(_ bytes: RawSpan) throws(FileError) {
    var done = 0
    while done < bytes.byteCount {
      let room = try advance()
      precondition(room > 0, "more bytes than tensors")
      let count = min(room, bytes.byteCount - done)
      try append(bytes.extracting(done..<done + count))
      done += count
    }
  }

  /// Appends all bytes of `region`.
  package mutating func copy(_ region: ByteRegion) throws(FileError) {
    try region.forEachTile { (bytes) throws(FileError) in try write(bytes) }
  }

  /// Forces the file to the disk, and gives its size and digest; every byte must be written.
  package mutating func finish() throws(FileError) -> WrittenFile {
    let room = try advance()
    precondition(room == 0, "every tensor is written")
    try output.write(zipDirectory(written, at: output.byteCount))
    precondition(output.byteCount == layout.byteCount, "the file is as long as planned")
    return try output.finish()
  }

  /// Ends what is complete and begins what comes next, empty tensors included; gives the bytes
  /// that the current record lacks, zero when all are complete.
  private mutating func advance() throws(FileError) -> Int {
    while written.count < layout.records.count {
      let record = layout.records[written.count]
      if checksum == nil {
        try output.write(record.entry.localHeader(alignment: TorchLayout.alignment))
        checksum = 0
        if let contents = record.contents { try append(contents.rawSpan) }
      }
      let room = record.entry.range.upperBound - output.byteCount
      if room > 0 { return room }
      var entry = record.entry
      entry.checksum = checksum ?? 0
      try output.write(entry.descriptor)
      written.append(entry)
      checksum = nil
    }
    return 0
  }

  private mutating func append(_ bytes: RawSpan) throws(FileError) {
    checksum = crc32(bytes, after: checksum ?? 0)
    try output.write(bytes)
  }
}
