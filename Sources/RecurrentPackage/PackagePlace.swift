package import ByteIO

/// Throws when an output at `destination` would lie inside a package: it would no longer be what its
/// manifest says. The report that `ckpt verify` is known to leave there may.
package func requireOutsidePackages(_ destination: String) throws(FileError) {
  let (folder, name) = splitPath(destination)
  guard var path = try resolvedPath(folder) else { return }
  if name == Manifest.report, try pathKind(path + "/" + Manifest.name) == .file { return }
  while true {
    if try pathKind(path + "/" + Manifest.name) == .file {
      throw FileError(destination, .insidePackage(path))
    }
    if path == "/" { return }
    path = splitPath(path).folder
  }
}
