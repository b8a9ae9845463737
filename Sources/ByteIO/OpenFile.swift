package import Platform

/// A file open for reading at any position, closed when the last reference goes.
///
/// Reads are positional (`pread`), so one value serves any number of threads, and a file that
/// another program truncates gives an error where a mapping would give SIGBUS.
package final class OpenFile: Sendable {
  /// The path, as it was given.
  package let path: String
  /// Size when the file was opened, in bytes.
  package let byteCount: Int
  package let descriptor: Descriptor
  private let modified: FileStatus.Time

  package init(_ path: String) throws(FileError) {
    do { descriptor = try Descriptor(opening: path, for: .reading) } catch {
      throw .refused("open", path, error)
    }
    self.path = path
    do throws(FileError) {
      let status = try Self.status(descriptor, path)
      guard status.isRegular else { throw FileError(path, .notRegular) }
      byteCount = status.byteCount
      modified = status.modified
    } catch {
      descriptor.abandon()
      throw error
    }
  }

  deinit { descriptor.abandon() }

  private static func status(
    _ descriptor: Descriptor, _ path: String
  ) throws(FileError) -> FileStatus {
    do { return try descriptor.status() } catch { throw .refused("stat", path, error) }
  }

  /// Fills `bytes` from position `offset`.
  package func read(at offset: Int, into bytes: inout MutableRawSpan) throws(FileError) {
    let count = bytes.byteCount
    let done: Int
    do { done = try descriptor.fill(&bytes, from: offset) } catch {
      throw .refused("read", path, error, at: offset)
    }
    if done < count { throw FileError(path, .shortRead(wanted: count, got: done), at: offset) }
  }

  /// Throws when the file's size or time is no longer what it was when it was opened.
  package func requireUnchanged() throws(FileError) {
    let status = try Self.status(descriptor, path)
    guard status.byteCount == byteCount, status.modified == modified else {
      throw FileError(path, .changedWhileReading)
    }
  }
}
