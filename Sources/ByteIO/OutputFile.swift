import Platform

/// What was written to a file: for manifests.
package struct WrittenFile: Equatable, Sendable {
  package var byteCount: Int
  package var digest: Digest
}

/// A file being written from start to end, hashed on the way.
///
/// Stage it (`StagedOutput`) so that it appears whole or not at all.
@safe
package struct OutputFile: ~Copyable {
  package let path: String
  private let descriptor: Descriptor
  private var hash = SHA256()
  package private(set) var byteCount = 0

  /// Creates the file, which must not exist.
  package init(creating path: String) throws(FileError) {
    self.path = path
    do { descriptor = try Descriptor(opening: path, for: .creating) } catch {
      throw .refused("create", path, error)
    }
  }

  deinit { descriptor.abandon() }

  /// Appends `bytes`.
  package mutating func write(_ bytes: RawSpan) throws(FileError) {
    try Interruption.check()
    hash.update(bytes)
    do { try descriptor.write(bytes) } catch {
      throw .refused("write", path, error, at: byteCount)
    }
    byteCount += bytes.byteCount
  }

  /// Appends `bytes`.
  package mutating func write(_ bytes: [UInt8]) throws(FileError) { try write(bytes.rawSpan) }

  /// Appends all bytes of `region`, a tile at a time.
  package mutating func copy(_ region: ByteRegion) throws(FileError) {
    try region.forEachTile { (bytes) throws(FileError) in try write(bytes) }
  }

  /// Forces the bytes to the disk and gives the file's size and digest; nothing may follow.
  package mutating func finish() throws(FileError) -> WrittenFile {
    do { try descriptor.sync() } catch { throw .refused("sync", path, error) }
    return WrittenFile(byteCount: byteCount, digest: hash.finish())
  }
}
