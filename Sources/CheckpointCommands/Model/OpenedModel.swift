import ByteIO
import Checkpoint
import ModelGraph
import Tensors

/// A model ready to be read: its checkpoint and the graph that says what the tensors mean.
struct OpenedModel {
  let checkpoint: Checkpoint
  let graph: ModelGraph

  /// Opens what is at `path`, a source model or a package.
  init(_ path: String) throws {
    checkpoint = try Checkpoint.open(path)
    guard let graph = try NamedTensors(checkpoint).graph() else {
      throw ModelError(path, .noConfig)
    }
    self.graph = graph
  }

  var path: String { checkpoint.path }

  /// The files the tensors are read from.
  var inputs: [ByteRegion] {
    get throws { try checkpoint.inputs.map { try ByteRegion(path: $0) } }
  }
}
