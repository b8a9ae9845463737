import CPlatform
import Glibc
import SystemPackage

/// An output file or folder under a temporary sibling name, until `publish()` renames it.
///
/// Whatever happens before that (an error, a signal, a full disk), the old state stays; what was
/// staged is removed when the value goes.
package final class StagedOutput: Sendable {
  /// Where the output will be.
  package let destination: String
  /// Where it is written now, in the same folder.
  package let temporary: String
  private let isFolder: Bool
  private let replaces: Bool

  /// Prepares an output; for a folder, creates the temporary one.
  ///
  /// - Parameters:
  ///   - force: Replace what is at `destination`; without it an existing output is an error.
  ///   - inputs: Paths being read; none may be the destination.
  ///   - needed: Bytes that will be written; checked against the free disk space.
  package init(
    at destination: String, isFolder: Bool, force: Bool, inputs: [String], needed: Int
  ) throws(FileError) {
    self.destination = destination
    self.isFolder = isFolder
    var path = destination
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    temporary = "\(folder)/\(Self.prefix(name))\(getpid())\(Self.suffix)"
    let existing = try? fileIdentity(path)
    replaces = existing != nil
    if let existing {
      for input in inputs where (try? fileIdentity(input)) == existing {
        throw FileError(destination, .overwritesInput)
      }
      if !force { throw FileError(destination, .exists) }
      // A device or a pipe is nothing that a rename may replace.
      if pathKind(path) == .other { throw FileError(destination, .notRegular) }
    }
    Self.removeStale(name, in: folder)
    try requireFreeSpace(needed, in: folder)
    removeTree(temporary)
    if isFolder, unsafe mkdir(temporary, 0o755) != 0 {
      throw FileError(temporary, .system(operation: "create folder", Errno(rawValue: errno)))
    }
  }

  deinit { removeTree(temporary) }

  /// Path of `name` inside a staged folder.
  package func path(_ name: String) -> String { temporary + "/" + name }

  /// Makes the staged output visible under its name, in one step.
  package func publish() throws(FileError) {
    try Interruption.check()
    if isFolder { try syncFolder(temporary) }
    let result =
      replaces
      ? unsafe ck_exchange(temporary, destination) : unsafe rename(temporary, destination)
    guard result == 0 else {
      throw FileError(destination, .system(operation: "publish", Errno(rawValue: errno)))
    }
    // After an exchange, the old state lies under the temporary name.
    if replaces { removeTree(temporary) }
    try syncFolder(FilePath(destination).removingLastComponent().string)
  }

  private static func prefix(_ name: String) -> String { ".\(name).ckpt-" }
  private static let suffix = ".partial"

  /// Removes what runs that were killed left of outputs called `name`: it may be gigabytes.
  private static func removeStale(_ name: String, in folder: String) {
    for entry in (try? folderEntries(folder)) ?? [] {
      guard let process = writer(of: entry, for: name) else { continue }
      // No such process; one that is alive, whoever runs it, goes on writing.
      if kill(process, 0) != 0, errno == ESRCH { removeTree(folder + "/" + entry) }
    }
  }

  /// Whether `entry` is the temporary name of an output called `name`.
  package static func isTemporary(_ entry: String, of name: String) -> Bool {
    writer(of: entry, for: name) != nil
  }

  /// The process whose temporary name for an output called `name` is `entry`.
  private static func writer(of entry: String, for name: String) -> pid_t? {
    let prefix = prefix(name)
    guard entry.hasPrefix(prefix), entry.hasSuffix(suffix) else { return nil }
    return pid_t(entry.dropFirst(prefix.count).dropLast(suffix.count)).flatMap { $0 > 0 ? $0 : nil }
  }
}

/// Throws when the disk of `folder` has not `needed` bytes left.
package func requireFreeSpace(_ needed: Int, in folder: String) throws(FileError) {
  var status = statvfs()
  guard unsafe statvfs(folder, &status) == 0 else {
    throw FileError(folder, .system(operation: "open", Errno(rawValue: errno)))
  }
  let free = Int(status.f_bavail) * Int(status.f_frsize)
  guard needed <= free else { throw FileError(folder, .noSpace(needed: needed, free: free)) }
}

/// Device and inode: two paths with the same identity are one file.
private struct FileIdentity: Equatable {
  var device: UInt
  var inode: UInt
}

private func fileIdentity(_ path: String) throws(FileError) -> FileIdentity {
  var status = stat()
  guard unsafe stat(path, &status) == 0 else {
    throw FileError(path, .system(operation: "open", Errno(rawValue: errno)))
  }
  return FileIdentity(device: UInt(status.st_dev), inode: UInt(status.st_ino))
}

private func syncFolder(_ path: String) throws(FileError) {
  let descriptor = unsafe open(path.isEmpty ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else {
    throw FileError(path, .system(operation: "open", Errno(rawValue: errno)))
  }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 else {
    throw FileError(path, .system(operation: "sync", Errno(rawValue: errno)))
  }
}

/// Names in the folder `path`, in byte order, without `.` and `..`.
package func folderEntries(_ path: String) throws(FileError) -> [String] {
  guard let folder = unsafe opendir(path) else {
    throw FileError(path, .system(operation: "open", Errno(rawValue: errno)))
  }
  defer { unsafe closedir(folder) }
  var names: [String] = []
  while let entry = unsafe readdir(folder) {
    let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
      unsafe String(cString: UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self))
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted { ExactString($0) < ExactString($1) }
}

/// What is at `path`; nil when nothing is.
package enum PathKind: Sendable {
  case file
  case folder
  case other
}

/// What is at `path`, links followed; nil when nothing is there.
package func pathKind(_ path: String) -> PathKind? {
  var status = stat()
  guard unsafe stat(path, &status) == 0 else { return nil }
  switch status.st_mode & S_IFMT {
  case S_IFREG: return .file
  case S_IFDIR: return .folder
  default: return .other
  }
}

/// What is at `path` itself: a link is `other`; nil when nothing is there.
package func linkKind(_ path: String) -> PathKind? {
  var status = stat()
  guard unsafe lstat(path, &status) == 0 else { return nil }
  switch status.st_mode & S_IFMT {
  case S_IFREG: return .file
  case S_IFDIR: return .folder
  default: return .other
  }
}

/// Creates the folder `path`, which must not exist; the one it is in must.
package func createFolder(_ path: String) throws(FileError) {
  guard unsafe mkdir(path, 0o755) == 0 else {
    throw FileError(path, .system(operation: "create folder", Errno(rawValue: errno)))
  }
}

/// Removes `path` and everything below it; links are removed, not followed.
package func removeTree(_ path: String) {
  // Depth is bounded by the path length the system allows, so a work list is enough.
  var folders: [String] = []
  var pending = [path]
  while let next = pending.popLast() {
    var status = stat()
    guard unsafe lstat(next, &status) == 0 else { continue }
    if status.st_mode & S_IFMT == S_IFDIR {
      folders.append(next)
      pending += ((try? folderEntries(next)) ?? []).map { next + "/" + $0 }
    } else {
      _ = unsafe unlink(next)
    }
  }
  for folder in folders.reversed() { _ = unsafe rmdir(folder) }
}
