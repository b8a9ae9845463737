package import ModelGraph
package import Tensors

/// A graph together with where its recipes read: all that running a model needs.
package struct ReadableModel: Sendable {
  package var graph: ModelGraph
  package var source: any RecipeSource

  package init(graph: ModelGraph, source: any RecipeSource) {
    self.graph = graph
    self.source = source
  }
}

/// Token ids that a verification runs on, `[sequences * length]`.
package struct ProbeTokens: Equatable, Sendable {
  package var tokens: [Int32]
  package var sequences: Int

  package init(tokens: [Int32], sequences: Int) {
    self.tokens = tokens
    self.sequences = sequences
  }

  /// Two sequences of sixteen ids spread over the vocabulary, always the same: no tokenizer is
  /// needed, and no text is favoured.
  package init(for sizes: ModelSizes) {
    let length = min(16, sizes.context)
    let stream = RandomStream(seed: 0x636B_7074, stream: 0)
    tokens = (0..<(2 * length)).map { i in
      Int32(stream[UInt64(i)] % UInt64(sizes.vocabulary))
    }
    sequences = 2
  }
}

extension ModelGraph {
  /// The same tensors as one straight line of blocks: what the recurrent model is at r = 1 when the
  /// adapter passes the prelude's output through.
  package var straightened: ModelGraph {
    var graph = self
    graph.body = .plain(blocks)
    return graph
  }

  /// Names of the places in a pass at r = 1 where a hidden state is seen, in order.
  var placeNames: [String] {
    var names = ["embedding"]
    switch body {
    case .plain(let blocks): names += blocks.indices.map { "layer \($0)" }
    case .recurrent(let body):
      names += body.prelude.indices.map { "prelude \($0)" }
      names += body.core.indices.map { "core \($0)" }
      names += body.coda.indices.map { "coda \($0)" }
    }
    return names
  }
}
