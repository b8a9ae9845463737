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

  /// Opens one file, told by its first bytes; by its ending only when they are no known format's.
  init(file region: ByteRegion) throws {
    let signature = try FileSignature(of: region)
    switch signature {
    case .safetensors: break
    case nil where region.path.hasSuffix(".safetensors"): break
    default: throw CheckpointError(.unknownFormat(signature), path: region.path)
    }
    try self.init(format: .safetensors, files: [region])
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
    guard let region = try folder.open(name) else { throw folder.noWeights }
    let index = try ShardIndex(region)
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

extension CheckpointFolder {
  var noWeights: CheckpointError { CheckpointError(.noWeights, path: path) }
}
