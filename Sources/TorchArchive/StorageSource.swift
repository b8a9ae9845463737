import ByteIO

/// Where a storage's bytes are.
struct StorageSource: Sendable {
  enum Content: Sendable {
    /// As they are, in the file.
    case plain(ByteRegion)
    case deflated(ZipEntry)
  }

  var content: Content
  var byteCount: Int
  /// Position in the file, by which tensors are ordered.
  var position: Int
}
