import ByteIO
import JSON
import Safetensors
import Tensors

/// The weight files of one checkpoint, opened.
struct WeightFiles {
  var format: Checkpoint.Format
  var containers: [any TensorContainer]
  var metadata: JSONObject?
  var inputs: [String]
  var warnings: [Warning] = []

  /// Opens one file. What calls itself safetensors must be it, since people trust the ending; any
  /// other file is told by its first bytes, and by its ending when they are no known format's.
  init(file region: ByteRegion) throws {
    try self.init(format: Self.format(of: region), files: [region])
  }

  private static func format(of region: ByteRegion) throws -> Checkpoint.Format {
    if region.path.hasSuffix(".safetensors") { return .safetensors }
    let signature = try FileSignature(of: region)
    switch signature {
    case .safetensors: return .safetensors
    case .gguf, .oldGGML: return .gguf
    case .zip, .tar, .pickle: return .torch
    default: break
    }
    if region.path.hasSuffix(".gguf") { return .gguf }
    if [".bin", ".pt", ".pth"].contains(where: region.path.hasSuffix) { return .torch }
    throw CheckpointError(.unknownFormat(signature), path: region.path)
  }

  /// Opens the files of one format, in their order.
  init(format: Checkpoint.Format, files: [ByteRegion]) throws {
    self.format = format
    inputs = files.map(\.path)
    containers = []
    for file in files {
      switch format {
      case .safetensors:
        let container = try SafetensorsFile(file)
        metadata = metadata ?? container.metadata
        containers.append(container)
      case .torch, .gguf:
        throw CheckpointError(.unknownFormat(nil), path: file.path)
      }
    }
  }

  /// Opens the shards of the index `name`, and compares them with it.
  init(index name: String, in folder: CheckpointFolder, format: Checkpoint.Format) throws {
    let index = try ShardIndex(folder.require(name))
    var files: [ByteRegion] = []
    for shard in index.shards {
      if folder.leavesFolder(shard) {
        throw ShardIndexError(.unsafeLink(shard), path: index.path)
      }
      guard let file = try folder.open(shard) else {
        throw ShardIndexError(.shardMissing(shard), path: index.path)
      }
      files.append(file)
    }
    try self.init(format: format, files: files)
    warnings = try index.check(containers.map(\.tensors))
    inputs.insert(index.path, at: 0)
  }
}
