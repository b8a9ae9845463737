import ByteIO
import Checkpoint
import JSON
import Models
import Tensors

/// What a Hugging Face folder holds beside its weights: the configuration, the index of the shards,
/// and the source's other files as they are.
struct FolderFiles {
  private var files: [(name: String, region: ByteRegion)]

  /// - Parameters:
  ///   - index: Name and text of the shards' index.
  ///   - type: The type that was asked for, told in the configuration.
  init(of source: NamedTensors, index: (name: String, text: String)?, type: ElementType?) {
    files = source.checkpoint.sideFiles.filter { $0.name != "config.json" }.map {
      ($0.name, $0.region)
    }
    if let index { files.append((index.name, ByteRegion(Array(index.text.utf8)))) }
    if let config = source.config {
      let text = JSONValue.object(Self.config(config, type: type)).text(indent: 2) + "\n"
      files.append(("config.json", ByteRegion(Array(text.utf8))))
    }
  }

  var byteCount: Int { files.reduce(0) { $0 + $1.region.byteCount } }

  /// Writes all of them into the staged folder.
  func write(to staged: StagedOutput) throws -> [Conversion.File] {
    try files.map { file in
      var output = try OutputFile(creating: staged.path(file.name))
      try output.copy(file.region)
      return .init(name: file.name, try output.finish())
    }
  }

  /// The configuration with the type of the weights, under the key it had.
  private static func config(_ config: JSONObject, type: ElementType?) -> JSONObject {
    guard let type, type.isFloatingPoint else { return config }
    var config = config
    config[config["dtype"] != nil ? "dtype" : "torch_dtype"] = .string(type.torchName)
    return config
  }
}
