import Glibc
package import SystemPackage

/// A file open for reading at any position, closed when the last reference goes.
///
/// Reads are positional (`pread`), so one value serves any number of threads, and a file that
/// another program truncates gives an error where a mapping would give SIGBUS.
package final class OpenFile: Sendable {
  /// The path, as it was given.
  package let path: String
  /// Size when the file was opened, in bytes.
  package let byteCount: Int
  package let descriptor: FileDescriptor
  private let modified: timespec

  package init(_ path: String) throws(FileError) {
    do {
      descriptor = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
    } catch {
      throw FileError(path, .system(operation: "open", error as? Errno ?? .ioError))
    }
    self.path = path
    var status = stat()
    guard unsafe fstat(descriptor.rawValue, &status) == 0 else {
      try? descriptor.close()
      throw FileError(path, .system(operation: "stat", Errno(rawValue: errno)))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      try? descriptor.close()
      throw FileError(path, .notRegular)
    }
    byteCount = Int(status.st_size)
    modified = status.st_mtim
  }

  deinit { try? descriptor.close() }

  /// Fills `bytes` from position `offset`.
  package func read(at offset: Int, into bytes: inout MutableRawSpan) throws(FileError) {
    let failure = unsafe bytes.withUnsafeMutableBytes { buffer -> FileError? in
      var done = 0
      while done < buffer.count {
        do {
          // SAFETY: the slice lies within `buffer`, which `pread` fills from its start.
          let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
          let got = unsafe try descriptor.read(fromAbsoluteOffset: Int64(offset + done), into: rest)
          if got == 0 {
            return FileError(path, .shortRead(wanted: buffer.count, got: done), at: offset)
          }
          done += got
        } catch {
          let errno = error as? Errno ?? .ioError
          return FileError(path, .system(operation: "read", errno), at: offset + done)
        }
      }
      return nil
    }
    if let failure { throw failure }
  }

  /// Throws when the file's size or time is no longer what it was when it was opened.
  package func requireUnchanged() throws(FileError) {
    var status = stat()
    guard unsafe fstat(descriptor.rawValue, &status) == 0, Int(status.st_size) == byteCount,
      status.st_mtim.tv_sec == modified.tv_sec, status.st_mtim.tv_nsec == modified.tv_nsec
    else { throw FileError(path, .changedWhileReading) }
  }
}
