package import ByteIO
package import Checkpoint
import JSON
package import Kernels
package import ModelGraph
import Tensors
package import Tokenizers
package import Transformer

/// A model ready to be read: its checkpoint and the graph that says what the tensors mean.
package struct OpenedModel {
  package let checkpoint: Checkpoint
  package let graph: ModelGraph
  /// The files the tensors are read from.
  package let inputs: [ByteRegion]

  /// Opens what is at `path`, a source model or a package.
  ///
  /// - Parameter ignored: Fields of the configuration that the user says have no effect.
  package init(_ path: String, ignoring ignored: Set<String> = []) throws {
    (checkpoint, inputs) = try Checkpoint.openingFiles(path)
    if let obstacle = try checkpoint.knownObstacle() { throw obstacle }
    guard let graph = try NamedTensors(checkpoint).graph(ignoring: ignored) else {
      throw ModelError(path, .noConfig)
    }
    self.graph = graph
  }

  package var path: String { checkpoint.path }

  /// Tells this model from others: by the manifest of a package, which holds digests of all its
  /// files, else by its configuration and the table of its tensors.
  package func identity() throws -> Digest {
    if let file = checkpoint.sideFiles.first(where: { $0.name == "manifest.json" }) {
      return SHA256.digest(of: try file.region.bytes(0..<file.region.byteCount))
    }
    let tensors = graph.parameters.map { "\($0.name) \($0.type) \($0.shape)" }
    let text =
      JSONValue.object(graph.config).text()
      + (tensors + checkpoint.tensors.compactMap(\.encoding)).joined(separator: "\n")
    return SHA256.digest(of: Array(text.utf8))
  }

  /// Reads all weights into memory, to be run.
  package func load(on compute: Compute, as storage: WeightStorage = .stored) throws -> Model {
    try Model(graph, from: checkpoint, on: compute, as: storage)
  }

  /// The model's tokenizer. It may have tokens that the embedding has no row for: a text that holds
  /// one is refused where it enters the model.
  package func tokenizer() throws -> Tokenizer {
    guard let tokenizer = try Tokenizer(of: checkpoint) else {
      throw ModelError(path, .noTokenizer)
    }
    return tokenizer
  }
}

extension Tokenizer {
  /// Tokens that end a text: the tokenizer's, and those of the model's configuration.
  package func ends(_ graph: ModelGraph) -> Set<Int32> {
    let ends = Set([eosID].compactMap { $0 })
    let configured: [JSONValue]
    switch graph.config["eos_token_id"] {
    case .array(let ids): configured = ids
    case let id?: configured = [id]
    case nil: configured = []
    }
    return ends.union(configured.compactMap { $0.integer.flatMap(Int32.init(exactly:)) })
  }
}

extension ModelGraph {
  /// Whether a pass depends on a seed: a recurrent model whose state starts at random.
  package var isSeeded: Bool {
    guard case .normal = recurrence?.stateStart else { return false }
    return true
  }
}
