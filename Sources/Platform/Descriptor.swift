import CPlatform
import Glibc
package import SystemPackage

/// The number of an open file. Who opened it closes it.
package struct Descriptor: Sendable {
  package let number: Int32

  package static let standardInput = Descriptor(number: STDIN_FILENO)
  package static let standardOutput = Descriptor(number: STDOUT_FILENO)
  package static let standardError = Descriptor(number: STDERR_FILENO)

  /// What a file is opened for.
  package enum Purpose: Sendable {
    case reading
    /// Writing and reading a file that must not exist yet.
    case creating
    /// Writing after what is there; the file is created if it is missing.
    case appending
    /// Writing a file that is there.
    case writing
    /// Syncing a folder.
    case folder
  }

  private init(number: Int32) { self.number = number }

  package init(opening path: String, for purpose: Purpose) throws(Errno) {
    let flags =
      switch purpose {
      case .reading: O_RDONLY
      case .creating: O_RDWR | O_CREAT | O_EXCL
      case .appending: O_WRONLY | O_CREAT | O_APPEND
      case .writing: O_WRONLY
      case .folder: O_RDONLY | O_DIRECTORY
      }
    number = try result { unsafe open(systemPath(path), flags | O_CLOEXEC, 0o644) }
  }

  /// Sees to it that the three standard numbers are taken, so that no file is opened under one of
  /// them: who closed one gets errors from it, not an output written into another file.
  package static func reserveStandard() {
    for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
      if fcntl(number, F_GETFD) != -1 { continue }
      let unusable = number == STDIN_FILENO ? O_WRONLY : O_RDONLY
      _ = unsafe open("/dev/null", unusable)
    }
  }

  /// Closes the file; the number must not be used again, whether this throws or not.
  package func close() throws(Errno) {
    // Not made again after a signal: Linux has closed it all the same.
    if Glibc.close(number) != 0, errno != EINTR { throw Errno(rawValue: errno) }
  }

  /// Closes a file that was only read, or is being given up: nothing is lost when that fails.
  package func abandon() { _ = Glibc.close(number) }

  /// Reads once into `bytes`; gives the bytes read, 0 at the end of the file.
  ///
  /// A signal ends a read that waits, with `Errno.interrupted`.
  package func read(into bytes: inout [UInt8]) throws(Errno) -> Int {
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      unsafe Glibc.read(number, buffer.baseAddress, buffer.count)
    }
    if count < 0 { throw Errno(rawValue: errno) }
    return count
  }

  /// Fills `bytes` from position `offset`; gives the bytes read, fewer only at the end of the file.
  package func fill(_ bytes: inout MutableRawSpan, from offset: Int) throws(Errno) -> Int {
    try unsafe bytes.withUnsafeMutableBytes { buffer throws(Errno) in
      var done = 0
      while done < buffer.count {
        // SAFETY: the slice lies within `buffer`, which `pread` fills from its start.
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
        let got = try result {
          unsafe pread(number, rest.baseAddress, rest.count, off_t(offset + done))
        }
        if got == 0 { break }
        done += got
      }
      return done
    }
  }

  /// Writes all of `bytes`.
  package func write(_ bytes: RawSpan) throws(Errno) {
    try unsafe writeAll(bytes) { rest, _ in unsafe Glibc.write(number, rest.baseAddress, rest.count)
    }
  }

  /// Writes all of `bytes` from position `offset` on.
  package func write(_ bytes: RawSpan, at offset: Int) throws(Errno) {
    try unsafe writeAll(bytes) { rest, done in
      unsafe pwrite(number, rest.baseAddress, rest.count, off_t(offset + done))
    }
  }

  private func writeAll(
    _ bytes: RawSpan, _ once: (UnsafeRawBufferPointer, _ done: Int) -> Int
  ) throws(Errno) {
    try unsafe bytes.withUnsafeBytes { buffer throws(Errno) in
      var done = 0
      while done < buffer.count {
        // SAFETY: the slice lies within `buffer`.
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
        let count = try result { unsafe once(rest, done) }
        // A call that writes nothing and says nothing would do so for ever.
        if count == 0 { throw .ioError }
        done += count
      }
    }
  }

  /// Forces what was written to the disk.
  package func sync() throws(Errno) { try perform { fsync(number) } }

  /// Makes the file `byteCount` bytes long.
  package func resize(to byteCount: Int) throws(Errno) {
    try perform { ftruncate(number, off_t(byteCount)) }
  }

  package func status() throws(Errno) -> FileStatus {
    var status = stat()
    // SAFETY: the call writes the one structure it is given.
    try perform { unsafe fstat(number, &status) }
    return FileStatus(status)
  }

  /// Copies bytes of `source` into this file inside the kernel; gives how many, 0 at the source's
  /// end.
  package func copy(
    from source: Descriptor, at start: Int, count: Int, to offset: Int
  ) throws(Errno) -> Int {
    try result {
      ck_copy_file_range(source.number, off_t(start), number, off_t(offset), count)
    }
  }

  /// Starts to write `range` to the disk and does not wait: a mere hint, so nothing is reported.
  package func startWriteback(_ range: Range<Int>) {
    _ = ck_start_writeback(number, off_t(range.lowerBound), off_t(range.count))
  }

  /// Takes the file's lock, which ends with the process or when the file is closed; false when
  /// another open file has it.
  package func tryLock() throws(Errno) -> Bool {
    do {
      try perform { flock(number, LOCK_EX | LOCK_NB) }
      return true
    } catch .wouldBlock { return false }
  }

  /// Whether it is a terminal.
  package var isTerminal: Bool { isatty(number) == 1 }
}
