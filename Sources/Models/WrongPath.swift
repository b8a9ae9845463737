import ByteIO

/// Refuses a path at which there is no model, though one may be near: a repository's name, the root
/// of a download cache, the folder of a training run.
package func refuseWrongPath(_ path: String) throws {
  switch try pathKind(path) {
  case nil:
    if isRepositoryName(path) { throw ModelError(path, .repositoryName) }
  case .folder?:
    try refuseRun(path)
    try refuseCacheRoot(path)
  default: break
  }
}

/// Whether `path` has the form OWNER/NAME of the Hugging Face Hub.
private func isRepositoryName(_ path: String) -> Bool {
  let parts = path.split(separator: "/", omittingEmptySubsequences: false)
  return parts.count == 2
    && parts.allSatisfy { part in
      part.first.map { $0.isLetter || $0.isNumber } ?? false
        && part.utf8.allSatisfy {
          switch $0 {
          case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
          default: false
          }
        }
    }
}

/// Refuses `models--OWNER--NAME`, whose files lie deeper.
private func refuseCacheRoot(_ path: String) throws {
  let snapshots = (path.hasSuffix("/") ? String(path.dropLast()) : path) + "/snapshots"
  guard try pathKind(snapshots) == .folder, try pathKind(path + "/config.json") == nil else {
    return
  }
  let names = try folderEntries(snapshots).filter { !$0.hasPrefix(".") }
  throw ModelError(path, .cacheRoot(snapshots: names.sorted().map { snapshots + "/" + $0 }))
}
