import Glibc
import SystemPackage

/// Creates the folder at `path` and those above it that are missing.
package func createFolders(_ path: String) throws(FileError) {
  var missing: [FilePath] = []
  var next = FilePath(path)
  while !next.isEmpty, pathKind(next.string) == nil {
    missing.append(next)
    next = next.removingLastComponent()
  }
  for folder in missing.reversed() {
    if unsafe mkdir(folder.string, 0o755) != 0, errno != EEXIST {
      throw FileError(
        folder.string, .system(operation: "create folder", Errno(rawValue: errno)))
    }
  }
  guard pathKind(path) == .folder else {
    throw FileError(path, .system(operation: "create folder", .notDirectory))
  }
}
