package import ByteIO

/// The files that one source of data stands for: a file, the files in a folder, or those that a pattern
/// such as `data/*.parquet` fits.
package struct DataFiles: Sendable {
  package struct File: Sendable {
    package var path: String
    package var kind: DataKind
  }

  /// As the user named it.
  package let path: String
  /// In the order of their names' bytes.
  package private(set) var files: [File] = []
  package private(set) var warnings: [Warning] = []

  /// *Limits* of a folder.
  private static let depthLimit = 16
  private static let countLimit = 1 << 17

  /// - Parameter kind: What the files are; nil lets the content of each say it.
  package init(_ path: String, kind: DataKind? = nil) throws {
    self.path = path
    for name in try Self.expand(path) {
      if let kind {
        files.append(File(path: name, kind: kind))
      } else {
        let sniffer = try DataSniffer(name)
        warnings += sniffer.warnings
        files.append(File(path: name, kind: sniffer.kind))
      }
    }
    guard let first = files.first else { throw DataError(.noFiles, path) }
    if let other = files.first(where: { $0.kind.isTokens != first.kind.isTokens }) {
      throw DataError(.mixedSource(other.path), path)
    }
  }

  /// Whether the files hold token ids, not documents.
  package var areTokens: Bool { files.first?.kind.isTokens ?? false }

  private static func expand(_ path: String) throws -> [String] {
    switch try pathKind(path) {
    case .folder: return try inFolder(path)
    case .file, .other: return [path]
    case nil:
      guard path.contains(where: { "*?[".contains($0) }) else { return [path] }
      return try matches(of: path).flatMap { try pathKind($0) == .folder ? inFolder($0) : [$0] }
    }
  }

  /// Files below a folder whose names say that they are data, but for those that describe others.
  private static func inFolder(_ folder: String) throws -> [String] {
    if let listed = try SavedDataset.files(in: folder) { return listed }
    var (found, pending) = ([String](), [(folder, 0)])
    while let (path, depth) = pending.popLast() {
      try Interruption.check()
      for name in try folderEntries(path) where !name.hasPrefix(".") {
        let full = path.hasSuffix("/") ? path + name : path + "/" + name
        if try pathKind(full) == .folder {
          if depth < depthLimit { pending.append((full, depth + 1)) }
        } else if isData(name) {
          found.append(full)
          guard found.count <= countLimit else {
            throw FileError(folder, .tooLarge(byteCount: found.count, limit: countLimit))
          }
        }
      }
    }
    try SavedDataset.requireOneSplit(found, of: folder)
    return found.sorted { ExactString($0) < ExactString($1) }
  }

  private static let descriptions: Set = [
    "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "index.json",
    "README.md", "README.txt", "LICENSE.txt", "LICENSE.md",
  ]

  private static func isData(_ name: String) -> Bool {
    guard let kind = DataKind(name: name), !descriptions.contains(name) else { return false }
    // An index goes with the tokens beside it.
    return kind != .megatron
  }
}
