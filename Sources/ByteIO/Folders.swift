import Platform
import SystemPackage

/// What is at a path.
package enum PathKind: Sendable {
  case file
  case folder
  /// A device, a pipe, a socket, or a link that was not followed.
  case other
}

extension FileStatus {
  var kind: PathKind { isRegular ? .file : isFolder ? .folder : .other }
}

/// What is at `path`, links followed; nil when nothing is there, and only then.
package func pathKind(_ path: String) throws(FileError) -> PathKind? {
  try fileStatus(path)?.kind
}

/// What is at `path` itself: a link is `other`; nil when nothing is there.
package func linkKind(_ path: String) throws(FileError) -> PathKind? {
  do { return try FileStatus.of(path, followingLinks: false)?.kind } catch {
    throw .refused("look at", path, error)
  }
}

/// What the system says of what is at `path`, links followed; nil when nothing is there.
func fileStatus(_ path: String) throws(FileError) -> FileStatus? {
  do { return try FileStatus.of(path) } catch { throw .refused("look at", path, error) }
}

/// Names in the folder `path`, in byte order, without `.` and `..`.
package func folderEntries(_ path: String) throws(FileError) -> [String] {
  do {
    return try entries(ofFolder: path).sorted { ExactString($0) < ExactString($1) }
  } catch { throw .refused("list", path, error) }
}

/// Creates the folder `path`, which must not exist; the one it is in must.
package func createFolder(_ path: String) throws(FileError) {
  do { try makeFolder(path) } catch { throw .refused("create folder", path, error) }
}

/// Creates the folder at `path` and those above it that are missing.
package func createFolders(_ path: String) throws(FileError) {
  var missing: [String] = []
  var next = path
  while !next.isEmpty, try pathKind(next) == nil {
    missing.append(next)
    next = parentFolder(next)
  }
  for folder in missing.reversed() {
    do { try makeFolder(folder) } catch .fileExists { continue } catch {
      throw .refused("create folder", folder, error)
    }
  }
  guard try pathKind(path) == .folder else {
    throw .refused("create folder", path, .notDirectory)
  }
}

/// The folder that `path` lies in: `.` for a mere name.
package func parentFolder(_ path: String) -> String { splitPath(path).folder }

/// The folder that `path` lies in, and its last component.
package func splitPath(_ path: String) -> (folder: String, name: String) {
  var path = path[...]
  while path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
  guard let slash = path.lastIndex(of: "/") else { return (".", String(path)) }
  let folder = slash == path.startIndex ? "/" : String(path[..<slash])
  return (folder, String(path[path.index(after: slash)...]))
}

/// Removes `path` and everything below it, which may be nothing; links are removed, not followed.
package func removeTree(_ path: String) throws(FileError) {
  // Depth is bounded by the path length the system allows, so a work list is enough.
  var folders: [String] = []
  var pending = [path]
  while let next = pending.popLast() {
    switch try linkKind(next) {
    case nil: continue
    case .folder:
      folders.append(next)
      pending += try folderEntries(next).map { next + "/" + $0 }
    default:
      do { try removeFile(next) } catch .noSuchFileOrDirectory { continue } catch {
        throw .refused("remove", next, error)
      }
    }
  }
  for folder in folders.reversed() {
    do { try removeFolder(folder) } catch .noSuchFileOrDirectory { continue } catch {
      throw .refused("remove", folder, error)
    }
  }
}

/// Removes `path` and everything below it, which may be nothing; its name is free at once, so that
/// whatever comes between, nobody finds a part of it there.
package func discard(_ path: String) throws(FileError) {
  let (folder, name) = splitPath(path)
  let staging = try StagingFolder(of: name, in: folder)
  do { try moveToFree(path, staging.path + "/" + name) } catch .noSuchFileOrDirectory {} catch {
    throw .refused("remove", path, error)
  }
}
