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
    guard let config = checkpoint.config else { throw ModelError(path, .noConfig) }
    graph = try ModelGraph.read(config: config, tensors: checkpoint.tensors)
  }

  var path: String { checkpoint.path }
}
