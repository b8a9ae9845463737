package import ByteIO
import CLibArchive
import Glibc

/// How a stream is compressed.
package enum Compression: String, CaseIterable, Sendable {
  case gzip
  case zstd
}

/// A file that is compressed while it is written; the same bytes in give the same bytes out.
///
/// Stage it (`StagedOutput`) so that it appears whole or not at all.
@safe
package final class CompressedOutput {
  package let path: String
  private let archive: OpaquePointer
  private let descriptor: Int32

  /// Creates the file, which must not exist.
  package init(creating path: String, _ compression: Compression) throws {
    self.path = path
    descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileError.system("create", path, code: errno) }
    guard let archive = unsafe archive_write_new() else {
      throw ArchiveFailure(path: path, reason: "no memory")
    }
    unsafe self.archive = archive
    switch compression {
    case .gzip:
      try check(unsafe archive_write_add_filter_gzip(archive))
      // The time of writing would make every run differ.
      try check(unsafe archive_write_set_filter_option(archive, "gzip", "timestamp", nil))
    case .zstd: try check(unsafe archive_write_add_filter_zstd(archive))
    }
    try check(unsafe archive_write_set_format_raw(archive))
    try check(unsafe archive_write_set_bytes_in_last_block(archive, 1))
    try check(unsafe archive_write_open_fd(archive, descriptor))
    let entry = unsafe archive_entry_new()
    defer { unsafe archive_entry_free(entry) }
    unsafe archive_entry_set_filetype(entry, UInt32(Glibc.S_IFREG))
    try check(unsafe archive_write_header(archive, entry))
  }

  deinit {
    unsafe archive_write_free(archive)
    close(descriptor)
  }

  /// Appends `bytes`.
  package func write(_ bytes: RawSpan) throws {
    try Interruption.check()
    let done = unsafe bytes.withUnsafeBytes { buffer in
      unsafe archive_write_data(archive, buffer.baseAddress, buffer.count)
    }
    guard done == bytes.byteCount else { throw failure() }
  }

  /// Ends the stream and forces the bytes to the disk; nothing may follow.
  package func finish() throws {
    try check(unsafe archive_write_close(archive))
    guard fsync(descriptor) == 0 else { throw FileError.system("sync", path, code: errno) }
  }

  private func check(_ status: Int32) throws {
    if status < ARCHIVE_WARN { throw failure() }
  }

  private func failure() -> any Error {
    // The library's own failures have negative numbers, the system's have the system's.
    let code = unsafe archive_errno(archive)
    if code > 0 { return FileError.system("write", path, code: code) }
    let text = unsafe archive_error_string(archive).map { unsafe String(cString: $0) }
    return ArchiveFailure(path: path, reason: text ?? "unknown failure")
  }
}

/// A compressed file could not be written.
package struct ArchiveFailure: DiagnosedError, Equatable {
  package var path: String
  /// The library's own words.
  package var reason: String

  package var code: String { "archive.write" }
  package var kind: FailureKind { .inputOutput }
  package var file: String? { path }
  package var message: String { "the compressed file cannot be written: \(reason)" }
}
