import Glibc
import SystemPackage

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
  private let descriptor: FileDescriptor
  private var hash = SHA256()
  package private(set) var byteCount = 0

  /// Creates the file, which must not exist.
  package init(creating path: String) throws(FileError) {
    self.path = path
    do {
      descriptor = try FileDescriptor.open(
        FilePath(path), .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: FilePermissions(rawValue: 0o644))
    } catch {
      throw FileError(path, .system(operation: "create", error as? Errno ?? .ioError))
    }
  }

  deinit { try? descriptor.close() }

  /// Appends `bytes`.
  package mutating func write(_ bytes: RawSpan) throws(FileError) {
    try Interruption.check()
    hash.update(bytes)
    let failure = unsafe bytes.withUnsafeBytes { buffer -> Errno? in
      do {
        _ = unsafe try descriptor.writeAll(buffer)
        return nil
      } catch { return error as? Errno ?? .ioError }
    }
    if let failure { throw FileError(path, .system(operation: "write", failure), at: byteCount) }
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
    guard fsync(descriptor.rawValue) == 0 else {
      throw FileError(path, .system(operation: "sync", Errno(rawValue: errno)))
    }
    return WrittenFile(byteCount: byteCount, digest: hash.finish())
  }
}
