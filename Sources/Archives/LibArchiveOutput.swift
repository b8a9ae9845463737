package import ByteIO
import CLibArchive
import Platform
import SystemPackage

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
  /// How libarchive calls a regular file; it is the number of POSIX.
  private static let regularFile: UInt32 = 0o100000
  private let descriptor: Descriptor

  /// Creates the file, which must not exist.
  package init(creating path: String, _ compression: Compression) throws {
    self.path = path
    do { descriptor = try Descriptor(opening: path, for: .creating) } catch {
      throw FileError.refused("create", path, error)
    }
    guard let archive = unsafe archive_write_new() else {
      descriptor.abandon()
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
    try check(unsafe archive_write_open_fd(archive, descriptor.number))
    let entry = unsafe archive_entry_new()
    defer { unsafe archive_entry_free(entry) }
    unsafe archive_entry_set_filetype(entry, Self.regularFile)
    try check(unsafe archive_write_header(archive, entry))
  }

  deinit {
    unsafe archive_write_free(archive)
    descriptor.abandon()
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
    do { try descriptor.sync() } catch { throw FileError.refused("sync", path, error) }
  }

  private func check(_ status: Int32) throws {
    if status < ARCHIVE_WARN { throw failure() }
  }

  private func failure() -> any Error {
    // The library's own failures have negative numbers, the system's have the system's.
    let code = unsafe archive_errno(archive)
    if code > 0 { return FileError.refused("write", path, Errno(rawValue: code)) }
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
