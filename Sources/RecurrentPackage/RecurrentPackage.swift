package import ByteIO
package import Checkpoint
import JSON
import Tensors

/// An open package: a folder, or the same folder as an uncompressed tar archive, read in place.
package struct RecurrentPackage: Sendable {
  /// A file of the package.
  package struct File: Sendable {
    /// Relative to the package, with `/` between folders.
    package var name: String
    package var region: ByteRegion
  }

  package let path: String
  package let isArchive: Bool
  package let manifest: Manifest
  /// All files, the manifest included, in byte order of their names.
  package let files: [File]
  package let checkpoint: Checkpoint

  /// Opens what is at `path`; reads the manifest and the weight files' headers.
  ///
  /// Throws `PackageError(.noManifest)` when this is no package. Digests are not looked at: that is
  /// what `integrityProblems` does.
  package static func open(_ path: String) throws -> RecurrentPackage {
    if try pathKind(path) == .folder { return try RecurrentPackage(folder: path) }
    return try RecurrentPackage(archive: ByteRegion(path: path))
  }

  /// Whether what is at `path` is a file that starts as a package's tar does.
  package static func isArchive(_ path: String) throws(FileError) -> Bool {
    guard try pathKind(path) == .file else { return false }
    return try TarArchive.isArchive(ByteRegion(path: path))
  }

  private init(folder path: String) throws {
    guard try pathKind(path + "/" + Manifest.name) == .file else {
      throw PackageError(.noManifest, path: path)
    }
    self.path = path
    isArchive = false
    files = try Self.files(in: path)
    manifest = try Manifest(ByteRegion(path: path + "/" + Manifest.name))
    checkpoint = try Checkpoint.open(path)
  }

  package init(archive region: ByteRegion) throws {
    let members = try TarArchive(region).members
    path = region.path
    isArchive = true
    files = members.map { name, content in
      File(name: name, region: content.named(region.path + "/" + name))
    }.sorted { ExactString($0.name) < ExactString($1.name) }
    manifest = try Manifest(members[0].region.named(region.path + "/" + Manifest.name))
    checkpoint = try Checkpoint(
      folder: CheckpointFolder(
        path: region.path, files: files.map { (name: $0.name, region: $0.region) }))
  }

  /// Every file below the folder; links and devices are refused, and reports passed over that a
  /// killed `ckpt verify` has not finished.
  private static func files(in root: String) throws -> [File] {
    var files: [File] = []
    var pending = [""]
    while let folder = pending.popLast() {
      for entry in try folderEntries(folder.isEmpty ? root : root + "/" + folder) {
        let name = folder.isEmpty ? entry : folder + "/" + entry
        if StagingFolder.isOne(name, of: Manifest.report) { continue }
        switch try linkKind(root + "/" + name) {
        case .folder: pending.append(name)
        case .file: files.append(File(name: name, region: try ByteRegion(path: root + "/" + name)))
        default: throw PackageError(.notRegular, path: root + "/" + name)
        }
      }
    }
    return files.sorted { ExactString($0.name) < ExactString($1.name) }
  }

  /// Bytes of all files.
  package var byteCount: Int { files.reduce(0) { $0 + $1.region.byteCount } }

  /// The weight files and their index, as the checkpoint names them.
  package var weightFiles: [ByteRegion] {
    let inputs = Set(checkpoint.inputs)
    return files.map(\.region).filter { inputs.contains($0.path) }
  }
}

extension ByteRegion {
  /// The same bytes under another name for messages.
  fileprivate func named(_ path: String) -> ByteRegion {
    subregion(0..<byteCount, path: path) ?? self
  }
}
