package import ByteIO
import CLibArchive
import Platform

/// A file's bytes from start to end, decompressed on the way when they are gzip, zstd, xz, bzip2 or
/// lz4; the content decides, not the name.
@safe
package final class DecompressedStream {
  package let path: String
  private let archive: OpaquePointer
  private var isAtEnd = false
  /// Bytes given so far, after decompression.
  package private(set) var position = 0

  /// - Throws: `FileError` when the file cannot be opened; `StreamError` when its first bytes are
  ///   broken.
  package init(_ path: String) throws {
    self.path = path
    let file = try OpenFile(path)
    guard let archive = unsafe archive_read_new() else { throw MemoryExhausted() }
    unsafe self.archive = archive
    if file.byteCount == 0 {
      // The library calls an empty file an error.
      isAtEnd = true
      return
    }
    unsafe archive_read_support_filter_gzip(archive)
    unsafe archive_read_support_filter_zstd(archive)
    unsafe archive_read_support_filter_xz(archive)
    unsafe archive_read_support_filter_bzip2(archive)
    unsafe archive_read_support_filter_lz4(archive)
    unsafe archive_read_support_format_raw(archive)
    var entry: OpaquePointer?
    try check(unsafe archive_read_open_filename(archive, systemPath(path), 1 << 18))
    try check(unsafe archive_read_next_header(archive, &entry))
  }

  deinit { unsafe archive_read_free(archive) }

  /// Appends at most `count` more bytes to `buffer`; false when there were none left.
  package func read(_ count: Int, into buffer: inout [UInt8]) throws(StreamError) -> Bool {
    if isAtEnd { return false }
    let start = buffer.count
    buffer.append(contentsOf: repeatElement(0, count: count))
    let got = unsafe buffer.withUnsafeMutableBytes { bytes in
      // SAFETY: `count` bytes from `start` on were appended just now.
      unsafe archive_read_data(archive, bytes.baseAddress.map { unsafe $0 + start }, count)
    }
    buffer.removeLast(count - max(0, got))
    if got < 0 { throw failure() }
    isAtEnd = got == 0
    position += got
    return got > 0
  }

  /// Appends all that is left to `buffer`, which may then have at most `limit` bytes.
  package func readRest(into buffer: inout [UInt8], limit: Int) throws {
    while try read(1 << 20, into: &buffer) {
      guard buffer.count <= limit else {
        throw FileError(path, .tooLarge(byteCount: buffer.count, limit: limit))
      }
    }
  }

  private func check(_ status: Int32) throws(StreamError) {
    if status < ARCHIVE_WARN { throw failure() }
  }

  private func failure() -> StreamError {
    let text = unsafe archive_error_string(archive).map { unsafe String(cString: $0) }
    return StreamError(path: path, position: position, reason: text ?? "unknown failure")
  }
}

/// Compressed bytes that cannot be decompressed.
package struct StreamError: DiagnosedError, Equatable {
  package var path: String
  /// Decompressed bytes before the fault.
  package var position: Int
  /// The library's own words.
  package var reason: String

  package var code: String { "data.decompress" }
  package var kind: FailureKind { .malformed }
  package var file: String? { path }
  package var message: String {
    "decompression failed after \(position) bytes of output: \(reason)"
  }
  package var hint: String? { "check that the file was downloaded whole" }
}
