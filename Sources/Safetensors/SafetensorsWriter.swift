package import ByteIO

/// Writes a safetensors file from start to end: the header of a layout, then whatever bytes the
/// caller streams, in the order of the layout's entries.
package struct SafetensorsWriter: ~Copyable {
  package let layout: SafetensorsLayout
  private var output: OutputFile

  /// Creates the file, which must not exist, and writes the header.
  package init(creating path: String, layout: SafetensorsLayout) throws(FileError) {
    var file = try OutputFile(creating: path)
    try file.write(layout.header)
    self.layout = layout
    output = file
  }

  /// Appends bytes of the tensors; pieces may be of any size.
  package mutating func write(_ bytes: RawSpan) throws(FileError) {
    precondition(bytes.byteCount <= layout.byteCount - output.byteCount, "more bytes than tensors")
    try output.write(bytes)
  }

  /// Appends all bytes of `region`.
  package mutating func copy(_ region: ByteRegion) throws(FileError) {
    precondition(region.byteCount <= layout.byteCount - output.byteCount, "more bytes than tensors")
    try output.copy(region)
  }

  /// Forces the file to the disk, and gives its size and digest; every byte must be written.
  package mutating func finish() throws(FileError) -> WrittenFile {
    precondition(output.byteCount == layout.byteCount, "every tensor is written")
    return try output.finish()
  }
}
