import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Safetensors
import Tensors

/// Safetensors files that are still to be written, and the other files of their folder.
struct SafetensorsOutput {
  private let plan: ShardPlan
  private let parameters: [TensorName: Parameter]
  private let reader: RecipeReader
  private let config: JSONObject?
  private let sideFiles: [(name: String, region: ByteRegion)]

  /// - Parameters:
  ///   - limit: Most bytes of tensors in a file; nil for one file.
  ///   - type: The type that was asked for, told in the configuration.
  init(
    _ parameters: [Parameter], from source: NamedTensors, limit: Int?, type: ElementType?
  ) throws {
    plan = try ShardPlan(
      parameters.map { .init(name: $0.name, type: $0.type, shape: $0.shape) }, limit: limit,
      metadata: [("format", "pt")])
    self.parameters = Dictionary(parameters.map { ($0.name, $0) }) { first, _ in first }
    reader = source.reader
    sideFiles = source.checkpoint.sideFiles.filter { $0.name != "config.json" }.map {
      ($0.name, $0.region)
    }
    config = source.config.map { Self.config($0, type: type) }
  }

  /// Bytes of all files.
  var byteCount: Int {
    plan.byteCount + sideFiles.reduce(0) { $0 + $1.region.byteCount } + configText.count
  }

  /// The configuration with the type of the weights, under the key it had.
  private static func config(_ config: JSONObject, type: ElementType?) -> JSONObject {
    let names: [ElementType: JSONValue] = [
      .f64: "float64", .f32: "float32", .f16: "float16", .bf16: "bfloat16",
      .f8E4M3: "float8_e4m3fn", .f8E5M2: "float8_e5m2",
    ]
    guard let name = type.flatMap({ names[$0] }) else { return config }
    var config = config
    config[config["dtype"] != nil ? "dtype" : "torch_dtype"] = name
    return config
  }

  private var configText: [UInt8] {
    config.map { Array((JSONValue.object($0).text(indent: 2) + "\n").utf8) } ?? []
  }

  /// Writes everything to `staged`; outside a folder, the one weight file alone.
  func write(
    to staged: StagedOutput, isFolder: Bool, allowOverflow: Bool,
    progress: @escaping (Int, Int) -> Void
  ) throws -> [ConvertReport.File] {
    let stream = TensorStream(
      reader: reader, allowOverflow: allowOverflow,
      total: plan.shards.reduce(0) { $0 + $1.layout.byteCount - $1.layout.header.count }, progress)
    var files: [ConvertReport.File] = []
    for shard in plan.shards {
      let path = isFolder ? staged.path(shard.name) : staged.temporary
      var writer = try SafetensorsWriter(creating: path, layout: shard.layout)
      for entry in shard.layout.entries {
        guard let parameter = parameters[entry.tensor.name] else {
          preconditionFailure("the layout's tensors are the parameters")
        }
        try stream.append(parameter, as: .element(entry.tensor.type), to: &writer)
      }
      files.append(.init(name: isFolder ? shard.name : staged.destination, try writer.finish()))
    }
    guard isFolder else { return files }
    var small = sideFiles
    if let index = plan.index {
      small.append((index.name, ByteRegion(Array(index.text.utf8))))
    }
    if config != nil { small.append(("config.json", ByteRegion(configText))) }
    for file in small {
      var output = try OutputFile(creating: staged.path(file.name))
      try output.copy(file.region)
      files.append(.init(name: file.name, try output.finish()))
    }
    return files
  }
}
