import Platform
import SystemPackage

/// A file being written at any position, by any number of threads.
///
/// Stage it (`StagedOutput`) so that it appears whole or not at all.
package final class PositionedOutput: Sendable {
  package let path: String
  package let byteCount: Int
  private let descriptor: Descriptor

  /// Creates the file, which must not exist, with its final size.
  package init(creating path: String, byteCount: Int) throws(FileError) {
    self.path = path
    self.byteCount = byteCount
    do { descriptor = try Descriptor(opening: path, for: .creating) } catch {
      throw .refused("create", path, error)
    }
    do { try descriptor.resize(to: byteCount) } catch {
      descriptor.abandon()
      throw .refused("write", path, error)
    }
  }

  deinit { descriptor.abandon() }

  /// Writes `bytes` from position `offset` on.
  package func write(_ bytes: RawSpan, at offset: Int) throws(FileError) {
    try Interruption.check()
    do { try descriptor.write(bytes, at: offset) } catch {
      throw .refused("write", path, error, at: offset)
    }
  }

  /// Fills `bytes` with what was written from position `offset` on.
  package func read(at offset: Int, into bytes: inout MutableRawSpan) throws(FileError) {
    let count = bytes.byteCount
    let done: Int
    do { done = try descriptor.fill(&bytes, from: offset) } catch {
      throw .refused("read", path, error, at: offset)
    }
    if done < count { throw FileError(path, .shortRead(wanted: count, got: done), at: offset) }
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
    let start = region.start + start
    var done = 0
    while done < count {
      do {
        let copied = try descriptor.copy(
          from: file.descriptor, at: start + done, count: count - done, to: offset + done)
        if copied == 0 { break }
        done += copied
      } catch {
        switch error {
        case .improperLink, .invalidArgument, .noFunction, .notSupported:
          if done == 0 { return 0 }
        default: break
        }
        throw .refused("write", path, error, at: offset + done)
      }
    }
    if done < count { throw FileError(file.path, .shortRead(wanted: count, got: done), at: start) }
    return done
  }

  /// Starts to write `range` to the disk in the background, so that `finish` has little to wait for.
  package func startWriteback(_ range: Range<Int>) {
    // A mere hint: what goes wrong is found by `finish`.
    descriptor.startWriteback(range)
  }

  /// Forces the bytes to the disk.
  package func finish() throws(FileError) {
    do { try descriptor.sync() } catch { throw .refused("sync", path, error) }
  }
}
