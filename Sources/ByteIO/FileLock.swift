import Platform
import SystemPackage

/// A lock on a file of its own, held until the value goes or the process ends, however it ends.
package final class FileLock: Sendable {
  private let descriptor: Descriptor

  /// Takes the lock `path`, a file that is created if it is missing and stays.
  ///
  /// - Throws: `FileError(.inUse)` when another process holds it.
  package init(_ path: String) throws(FileError) {
    do { descriptor = try Descriptor(opening: path, for: .appending) } catch {
      throw .refused("open", path, error)
    }
    do {
      if try descriptor.tryLock() { return }
    } catch {
      switch error {
      // A file system without locks cannot keep two runs apart, but it can hold one.
      case .noFunction, .notSupported, .noLocks: return
      default:
        descriptor.abandon()
        throw .refused("lock", path, error)
      }
    }
    descriptor.abandon()
    throw FileError(path, .inUse)
  }

  deinit { descriptor.abandon() }
}
