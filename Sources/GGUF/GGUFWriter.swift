package import ByteIO

/// Writes a GGUF file from start to end: the header of a layout, then whatever bytes the caller
/// streams, in the order of the layout's entries; the padding between them is added.
package struct GGUFWriter: ~Copyable {
  package let layout: GGUFLayout
  private var output: OutputFile
  /// Index of the entry whose bytes come next.
  private var current = 0

  /// Creates the file, which must not exist, and writes the header.
  package init(creating path: String, layout: GGUFLayout) throws(FileError) {
    var file = try OutputFile(creating: path)
    try file.write(layout.header)
    self.layout = layout
    output = file
  }

  /// Appends bytes of the tensors; pieces may be of any size.
  package mutating func write(_ bytes: RawSpan) throws(FileError) {
    var done = 0
    while done < bytes.byteCount {
      try passFinished()
      let count = min(room, bytes.byteCount - done)
      try output.write(bytes.extracting(done..<done + count))
      done += count
    }
  }

  /// Appends all bytes of `region`.
  package mutating func copy(_ region: ByteRegion) throws(FileError) {
    var done = 0
    while done < region.byteCount {
      try passFinished()
      let count = min(room, region.byteCount - done)
      guard let part = region.subregion(done..<done + count) else {
        preconditionFailure("the part lies within the region")
      }
      try output.copy(part)
      done += count
    }
  }

  /// Forces the file to the disk, and gives its size and digest; every byte must be written.
  package mutating func finish() throws(FileError) -> WrittenFile {
    try passFinished()
    precondition(output.byteCount == layout.byteCount, "every tensor is written")
    return try output.finish()
  }

  /// Bytes that the current entry still lacks.
  private var room: Int {
    precondition(current < layout.entries.count, "more bytes than tensors")
    return layout.entries[current].range.upperBound - output.byteCount
  }

  /// Pads behind entries that are complete, empty ones included.
  private mutating func passFinished() throws(FileError) {
    while current < layout.entries.count,
      output.byteCount == layout.entries[current].range.upperBound
    {
      current += 1
      let next =
        current < layout.entries.count
        ? layout.entries[current].range.lowerBound : layout.byteCount
      let padding = [UInt8](repeating: 0, count: next - output.byteCount)
      if !padding.isEmpty { try output.write(padding) }
    }
  }
}
