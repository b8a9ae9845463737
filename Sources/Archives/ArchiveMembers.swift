import ByteIO
import CLibArchive
import Platform

/// The regular files in a tar archive, compressed or not, one after another.
@safe
package final class ArchiveMembers {
  package let path: String
  private let archive: OpaquePointer
  /// Bytes of the member given last.
  private var byteCount = 0
  private var isAtEnd = false
  /// The library's `AE_IFREG`, which is not imported.
  private static let regularFile: UInt32 = 0o100_000

  package init(_ path: String) throws {
    self.path = path
    _ = try OpenFile(path)
    guard let archive = unsafe archive_read_new() else {
      throw MemoryExhausted()
    }
    unsafe self.archive = archive
    unsafe archive_read_support_filter_gzip(archive)
    unsafe archive_read_support_filter_zstd(archive)
    unsafe archive_read_support_filter_xz(archive)
    unsafe archive_read_support_filter_bzip2(archive)
    unsafe archive_read_support_filter_lz4(archive)
    unsafe archive_read_support_format_tar(archive)
    try check(unsafe archive_read_open_filename(archive, systemPath(path), 1 << 18))
  }

  deinit { unsafe archive_read_free(archive) }

  /// The name of the next member; nil after the last. Folders and links are passed over.
  package func next() throws -> String? {
    var entry: OpaquePointer?
    while !isAtEnd {
      try Interruption.check()
      let status = unsafe archive_read_next_header(archive, &entry)
      isAtEnd = status == ARCHIVE_EOF
      if isAtEnd { break }
      try check(status)
      guard unsafe archive_entry_filetype(entry) == Self.regularFile,
        let name = unsafe archive_entry_pathname(entry)
      else { continue }
      byteCount = Int(unsafe archive_entry_size(entry))
      return unsafe String(cString: name)
    }
    return nil
  }

  /// The bytes of the member that `next` gave last; refuses more than `limit`.
  package func contents(limit: Int) throws -> [UInt8] {
    guard byteCount >= 0, byteCount <= limit else {
      throw FileError(path, .tooLarge(byteCount: byteCount, limit: limit))
    }
    let wanted = byteCount
    var got = 0
    let bytes = [UInt8](capacity: wanted) { output in
      // SAFETY: the library writes no more than `wanted` bytes.
      got = unsafe output.withUnsafeMutableBytes { bytes in
        unsafe archive_read_data(archive, bytes.baseAddress, wanted)
      }
      return max(0, got)
    }
    guard got == wanted else {
      throw got < 0 ? failure() : StreamError(path: path, position: got, reason: "it ends early")
    }
    return bytes
  }

  private func check(_ status: Int32) throws {
    if status < ARCHIVE_WARN { throw failure() }
  }

  private func failure() -> StreamError {
    let text = unsafe archive_error_string(archive).map { unsafe String(cString: $0) }
    return StreamError(path: path, position: 0, reason: text ?? "unknown failure")
  }
}
