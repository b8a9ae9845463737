package import Checkpoint
import JSON
package import ModelGraph
import Tensors

extension PackageContents {
  /// A source model with random weights.
  ///
  /// - Parameters:
  ///   - graph: From `ModelGraph.untrained`.
  ///   - folder: Where tokenizer and licence are taken from.
  ///   - toolVersion: Recorded in the manifest.
  package init(
    untrained graph: ModelGraph, _ weights: UntrainedWeights, filesOf folder: CheckpointFolder,
    toolVersion: ToolVersion
  ) throws {
    var config = graph.config
    for key in ["torch_dtype", "dtype"] where config[key] != nil {
      config[key] = .string(weights.type.torchName)
    }
    let sideFiles = try folder.names.filter(SideFiles.isTakenOver).map {
      SideFile(name: $0, region: try folder.require($0))
    }
    self.init(
      parameters: graph.parameters, config: config, sideFiles: sideFiles, sources: [],
      record: [
        "tool": toolVersion.record,
        "initialisation": [
          "seed": .string(String(weights.seed)),
          "standard_deviation": JSONValue(try weights.deviation(config)),
        ],
      ],
      metadata: [("ckpt.version", toolVersion.number), ("format", "pt")])
  }
}
