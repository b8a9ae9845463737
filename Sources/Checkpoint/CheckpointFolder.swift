package import ByteIO

/// The files of a checkpoint's folder, on disk or inside an archive.
package struct CheckpointFolder: Sendable {
  /// Path for messages.
  package let path: String
  /// Names of the files directly inside, in byte order; hidden ones are left out.
  package let names: [String]
  private let storage: Storage

  private enum Storage: Sendable {
    /// The folder's path with links followed.
    case disk(resolved: String)
    case regions([ExactString: ByteRegion])
  }

  /// The folder at `path` of the file system.
  package init(path: String) throws(FileError) {
    var trimmed = path
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    self.path = trimmed
    var names: [String] = []
    for name in try folderEntries(trimmed) where !name.hasPrefix(".") {
      if try pathKind(trimmed + "/" + name) == .file { names.append(name) }
    }
    self.names = names
    storage = .disk(resolved: try resolvedPath(trimmed) ?? trimmed)
  }

  /// Files called by their paths relative to the folder, such as the members of an archive.
  package init(path: String, files: [(name: String, region: ByteRegion)]) {
    self.path = path
    names = files.map { ExactString($0.name) }.sorted().map(\.string).filter {
      !$0.hasPrefix(".") && !$0.utf8.contains(UInt8(ascii: "/"))
    }
    storage = .regions(
      Dictionary(files.map { (ExactString($0.name), $0.region) }, uniquingKeysWith: { a, _ in a }))
  }

  /// The file `name`, a path relative to the folder; nil when there is none.
  package func open(_ name: String) throws(FileError) -> ByteRegion? {
    switch storage {
    case .regions(let regions): return regions[ExactString(name)]
    case .disk:
      let file = path + "/" + name
      return try pathKind(file) == .file ? ByteRegion(path: file) : nil
    }
  }

  /// The file `name`; an error when there is none.
  package func require(_ name: String) throws(FileError) -> ByteRegion {
    if let region = try open(name) { return region }
    throw FileError.missing(path + "/" + name)
  }

  /// Whether `name` is a link to a place outside the folder.
  ///
  /// The download cache of Hugging Face is no outside: there a snapshot's files are links to the
  /// `blobs` beside the snapshots.
  package func leavesFolder(_ name: String) throws(FileError) -> Bool {
    guard case .disk(let root) = storage, let target = try resolvedPath(path + "/" + name) else {
      return false
    }
    if target.hasPrefix(root == "/" ? root : root + "/") { return false }
    let parts = root.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count >= 3, parts[parts.count - 2] == "snapshots" else { return true }
    return !target.hasPrefix(parts.dropLast(2).joined(separator: "/") + "/blobs/")
  }
}
