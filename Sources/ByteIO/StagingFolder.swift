import Platform
import SystemPackage

/// A hidden folder beside an output, in which the output is written before it gets its name.
///
/// Its name is random, so two writers, of whatever machine or container, never share one. A file
/// inside is locked for as long as its writer lives: a folder whose lock is free was left by a
/// process that is no more.
package final class StagingFolder: Sendable {
  package let path: String
  private let lock: Descriptor

  private static let suffix = ".partial"
  private static let lockName = "lock"

  private static func prefix(_ name: String) -> String { ".\(name).ckpt-" }

  /// Whether `entry` is the staging folder of an output called `name`; nil asks for any output's.
  package static func isOne(_ entry: String, of name: String?) -> Bool {
    guard entry.hasSuffix(suffix) else { return false }
    let stem = entry.dropLast(suffix.count)
    let digits = stem.utf8.suffix(16)
    guard digits.count == 16,
      digits.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else { return false }
    let start = stem.dropLast(16)
    if let name { return start == prefix(name) }
    return start.hasPrefix(".") && start.hasSuffix(prefix("").dropFirst())
  }

  /// Makes one for an output called `name` in `folder`.
  init(of name: String, in folder: String) throws(FileError) {
    // Once is enough but for a cleaner that comes between two calls; who loses many times has lost.
    for _ in 0..<8 {
      let path = "\(folder)/\(Self.prefix(name))\(Self.random())\(Self.suffix)"
      do { try makeFolder(path) } catch .fileExists { continue } catch {
        throw .refused("create folder", path, error)
      }
      if let lock = try Self.lock(path) {
        self.path = path
        self.lock = lock
        return
      }
    }
    throw .refused("create folder", folder, .resourceTemporarilyUnavailable)
  }

  deinit {
    Self.remove(path)
    lock.abandon()
  }

  /// Removes the folder and what is left in it; what cannot be removed now is tried once more when
  /// the value goes.
  func removeSilently() { do { try Self.removeAll(path) } catch {} }

  private static func random() -> String {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// The lock of a new folder; nil when a cleaner has taken the folder for an old one.
  private static func lock(_ path: String) throws(FileError) -> Descriptor? {
    let file = path + "/" + lockName
    let lock: Descriptor
    do { lock = try Descriptor(opening: file, for: .creating) } catch .noSuchFileOrDirectory {
      return nil
    } catch {
      remove(path)
      throw .refused("create", file, error)
    }
    do {
      if try lock.tryLock(), try FileStatus.of(file)?.identity == lock.status().identity {
        return lock
      }
    } catch {
      // A file system without locks: nobody can take it for an old one then, since that takes one.
      switch error {
      case .noFunction, .notSupported, .noLocks: return lock
      default: break
      }
      lock.abandon()
      remove(path)
      throw .refused("lock", file, error)
    }
    lock.abandon()
    return nil
  }

  /// Removes the folders that runs which were killed left of outputs called `name`, or of all
  /// outputs in `folder`: they may be gigabytes.
  package static func removeStale(_ name: String? = nil, in folder: String) throws(FileError) {
    for entry in try folderEntries(folder) where isOne(entry, of: name) {
      let path = folder + "/" + entry
      guard try linkKind(path) == .folder else { continue }
      let lock: Descriptor
      do {
        lock = try Descriptor(opening: path + "/" + lockName, for: .writing)
      } catch .noSuchFileOrDirectory {
        // Its writer died before it made the lock, or is about to: then it takes another name.
        do { try removeFolder(path) } catch { continue }
        continue
      } catch { continue }
      defer { lock.abandon() }
      do { if try lock.tryLock() { remove(path) } } catch { continue }
    }
  }

  private static func removeAll(_ path: String) throws(FileError) {
    guard try linkKind(path) == .folder else { return }
    for entry in try folderEntries(path) where entry != lockName {
      try removeTree(path + "/" + entry)
    }
    try removeTree(path)
  }

  /// Removes a staging folder, its lock last, so that what is left of it when that fails is known
  /// for what it is.
  private static func remove(_ path: String) {
    do { try removeAll(path) } catch {
      LateWarnings.add(
        Warning("io.leftover", "a temporary folder is left behind: \(error.message)", file: path))
    }
  }
}
