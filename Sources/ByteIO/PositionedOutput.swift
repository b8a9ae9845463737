import CPlatform
import Glibc
import SystemPackage

/// A file being written at any position, by any number of threads.
///
/// Stage it (`StagedOutput`) so that it appears whole or not at all.
package final class PositionedOutput: Sendable {
  package let path: String
  package let byteCount: Int
  private let descriptor: FileDescriptor

  /// Creates the file, which must not exist, with its final size.
  package init(creating path: String, byteCount: Int) throws(FileError) {
    self.path = path
    self.byteCount = byteCount
    do {
      descriptor = try FileDescriptor.open(
        FilePath(path), .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: FilePermissions(rawValue: 0o644))
    } catch {
      throw FileError(path, .system(operation: "create", error as? Errno ?? .ioError))
    }
    guard ftruncate(descriptor.rawValue, off_t(byteCount)) == 0 else {
      let failure = Errno(rawValue: errno)
      try? descriptor.close()
      throw FileError(path, .system(operation: "write", failure))
    }
  }

  deinit { try? descriptor.close() }

  /// Writes `bytes` from position `offset` on.
  package func write(_ bytes: RawSpan, at offset: Int) throws(FileError) {
    try Interruption.check()
    let failure = unsafe bytes.withUnsafeBytes { buffer -> Errno? in
      do {
        _ = unsafe try descriptor.writeAll(toAbsoluteOffset: Int64(offset), buffer)
        return nil
      } catch { return error as? Errno ?? .ioError }
    }
    if let failure { throw FileError(path, .system(operation: "write", failure), at: offset) }
  }

  /// Fills `bytes` with what was written from position `offset` on.
  package func read(at offset: Int, into bytes: inout MutableRawSpan) throws(FileError) {
    let failure = unsafe bytes.withUnsafeMutableBytes { buffer -> FileError? in
      var done = 0
      while done < buffer.count {
        // SAFETY: the slice lies within `buffer`.
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
        let got = unsafe pread(
          descriptor.rawValue, rest.baseAddress, rest.count, off_t(offset + done))
        if got < 0 {
          return FileError(path, .system(operation: "read", Errno(rawValue: errno)), at: offset)
        }
        if got == 0 {
          return FileError(path, .shortRead(wanted: buffer.count, got: done), at: offset)
        }
        done += got
      }
      return nil
    }
    if let failure { throw failure }
  }

  /// Copies `count` bytes of `region` from `start` on to position `offset`, inside the kernel.
  ///
  /// - Returns: The bytes copied; zero when this pair of files cannot be copied so, or the region is
  ///   not a file.
  package func copyInKernel(
    _ region: ByteRegion, from start: Int, count: Int, to offset: Int
  ) throws(FileError) -> Int {
    try Interruption.check()
    guard case .file(let file) = region.storage else { return 0 }
    var done = 0
    while done < count {
      let copied = ck_copy_file_range(
        file.descriptor.rawValue, off_t(region.start + start + done), descriptor.rawValue,
        off_t(offset + done), count - done)
      if copied > 0 {
        done += copied
        continue
      }
      if copied == 0 {
        throw FileError(file.path, .shortRead(wanted: count, got: done), at: region.start + start)
      }
      let failure = Errno(rawValue: errno)
      switch failure {
      case .improperLink, .invalidArgument, .noFunction, .notSupported:
        if done == 0 { return 0 }
      default: break
      }
      throw FileError(path, .system(operation: "write", failure), at: offset + done)
    }
    return done
  }

  /// Starts to write `range` to the disk in the background, so that `finish` has little to wait for.
  package func startWriteback(_ range: Range<Int>) {
    // A mere hint: what goes wrong is found by `finish`.
    _ = ck_start_writeback(descriptor.rawValue, off_t(range.lowerBound), off_t(range.count))
  }

  /// Forces the bytes to the disk.
  package func finish() throws(FileError) {
    guard fsync(descriptor.rawValue) == 0 else {
      throw FileError(path, .system(operation: "sync", Errno(rawValue: errno)))
    }
  }
}
