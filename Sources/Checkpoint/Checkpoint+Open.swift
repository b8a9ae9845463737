package import ByteIO
package import JSON
import Tensors

extension Checkpoint {
  /// Largest `config.json` that is read, in bytes.
  private static let configLimit = 16 << 20

  /// Opens what is at `path`: a folder, an index, or a single weight file.
  ///
  /// - Throws: A `DiagnosedError`.
  public static func open(_ path: String) throws -> Checkpoint {
    if try pathKind(path) == .folder { return try Checkpoint(folder: CheckpointFolder(path: path)) }
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    if path.hasSuffix(".index.json"), try pathKind(path) == .file {
      let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
      return try Checkpoint(folder: CheckpointFolder(path: folder), index: name)
    }
    let weights = try WeightFiles(file: ByteRegion(path: path)) { name in
      let sibling = slash == nil ? name : folder + "/" + name
      return try pathKind(sibling) == .file ? ByteRegion(path: sibling) : nil
    }
    let files = try PackedFiles.read(weights.format == .gguf ? weights.metadata : nil, path: path)
    let config = try files?.first { $0.name == "config.json" }.map { try Self.config($0.region) }
    return try Checkpoint(
      path: path, layout: .file, weights: weights, config: config, sideFiles: files ?? [])
  }

  /// Opens the checkpoint in `folder`, on disk or inside an archive.
  ///
  /// - Parameter index: The index to use; nil chooses the weights by their names.
  package init(folder: CheckpointFolder, index: String? = nil) throws {
    let choice = try index.map { WeightChoice(index: $0) } ?? WeightChoice(folder)
    var warnings = choice.warnings
    var sideFiles: [SideFile] = []
    for name in folder.names where !WeightChoice.isWeightFile(name) {
      if try folder.leavesFolder(name) {
        warnings.append(
          Warning("checkpoint.link_skipped", "a link that leaves the folder", file: name))
      } else if let region = try folder.open(name) {
        sideFiles.append(SideFile(name: name, region: region))
      }
    }
    if sideFiles.contains(where: { $0.name == "adapter_config.json" }) {
      warnings.append(
        Warning(
          "checkpoint.adapter", "an adapter (PEFT), to be merged with its base model, not a model",
          file: folder.path))
    }
    let config = try sideFiles.first { $0.name == "config.json" }.map { try Self.config($0.region) }
    try self.init(
      path: folder.path, layout: .folder, weights: choice.open(in: folder), config: config,
      sideFiles: sideFiles, warnings: warnings)
  }

  /// The object of a `config.json`.
  package static func config(_ region: ByteRegion) throws -> JSONObject {
    try region.requireDownloaded()
    let text = try region.contents(limit: configLimit)
    guard let object = try JSONValue(parsing: text, path: region.path).object else {
      throw CheckpointError(.configNotObject, path: region.path)
    }
    return object
  }
}
