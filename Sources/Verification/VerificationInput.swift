package import ModelGraph
package import Tensors
package import Transformer

/// A graph together with where its recipes read: all that running a model needs.
package struct ReadableModel: Sendable {
  package var graph: ModelGraph
  package var source: any RecipeSource

  package init(graph: ModelGraph, source: any RecipeSource) {
    self.graph = graph
    self.source = source
  }
}

extension Batch {
  /// Two sequences of sixteen ids spread over the vocabulary, always the same: no tokenizer is
  /// needed, and no text is favoured.
  package static func probe(for sizes: ModelSizes) throws(TransformerError) -> Batch {
    let length = min(16, sizes.context)
    let stream = RandomStream(seed: 0x636B_7074, stream: 0)
    let tokens = (0..<(2 * length)).map { i in
      Int32(stream[UInt64(i)] % UInt64(sizes.vocabulary))
    }
    return try Batch(tokens: tokens, sequences: 2)
  }

  /// The first `count` tokens of the first sequence alone; all of them by default.
  func beginning(_ count: Int = .max) throws(TransformerError) -> Batch {
    try Batch(tokens: Array(tokens.prefix(min(count, length))), sequences: 1)
  }
}

extension ModelGraph {
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
