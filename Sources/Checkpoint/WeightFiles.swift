import ByteIO
import GGUF
import JSON
import Safetensors
import Tensors
import TorchArchive

/// The weight files of one checkpoint, opened.
struct WeightFiles {
  var format: Checkpoint.Format
  var containers: [any TensorContainer]
  var metadata: JSONObject?
  var inputs: [String]
  var warnings: [Warning] = []

  private init(
    format: Checkpoint.Format, containers: [any TensorContainer], metadata: JSONObject?,
    inputs: [String]
  ) {
    self.format = format
    self.containers = containers
    self.metadata = metadata
    self.inputs = inputs
  }

  /// Opens one file, and with one part of a split GGUF model all its parts.
  ///
  /// What calls itself safetensors must be it, since people trust the ending; any other file is told
  /// by its first bytes, and by its ending when they are no known format's.
  ///
  /// - Parameter sibling: Gives the file of that name beside this one; nil when there is none.
  init(file region: ByteRegion, sibling: (String) throws -> ByteRegion?) throws {
    let format = try Self.format(of: region)
    if format != .gguf {
      try self.init(format: format, files: [region])
      return
    }
    let files = try GGUFSplit.files(of: GGUFFile(region), sibling: sibling)
    self.init(
      format: format, containers: files, metadata: files.first?.summary,
      inputs: files.map(\.path))
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
    var containers: [any TensorContainer] = []
    var metadata: JSONObject?
    for file in files {
      switch format {
      case .safetensors:
        let container = try SafetensorsFile(file)
        metadata = metadata ?? container.metadata
        containers.append(container)
      case .gguf: containers.append(try GGUFFile(file))
      case .torch: containers.append(try TorchFile(file))
      }
    }
    self.init(
      format: format, containers: containers, metadata: metadata, inputs: files.map(\.path))
  }

  /// Opens the shards of the index `name`, and compares them with it.
  init(index name: String, in folder: CheckpointFolder, format: Checkpoint.Format) throws {
    let index = try ShardIndex(folder.require(name))
    var files: [ByteRegion] = []
    for shard in index.shards {
      if try folder.leavesFolder(shard) {
        throw ShardIndexError(.unsafeLink(shard), path: index.path)
      }
      guard let file = try folder.open(shard) else {
        throw ShardIndexError(.shardMissing(shard), path: index.path)
      }
      files.append(file)
    }
    try self.init(format: format, files: files)
    let tied = containers.compactMap { $0 as? TorchFile }.reduce(0) { sum, file in
      file.ties.keys.reduce(sum) { $0 + file.tensors[$1].byteCount }
    }
    warnings = try index.check(containers.map(\.tensors), tiedByteCount: tied)
    inputs.insert(index.path, at: 0)
  }
}

extension GGUFFile {
  /// Elements of an array that may say something of each layer.
  private static let longestList = 1024

  /// The metadata as JSON; of a tokenizer's array or a longer one, its type and count.
  fileprivate var summary: JSONObject {
    JSONObject(
      metadata.map { key, value in
        let json: JSONValue =
          if let array = value.array,
            key.hasPrefix("tokenizer.") || array.count > Self.longestList
          {
            ["array": .string("\(array.type)"), "count": JSONValue(array.count)]
          } else { JSONValue(value) }
        return JSONObject.Member(key: key, value: json)
      })
  }
}
