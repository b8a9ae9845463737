package import Kernels
package import ModelGraph
import Tensors

/// A graph's weights as the kernels want them, and the order in which its blocks run.
///
/// Gradients have the same structure. Letters in shape comments: V vocabulary, h hidden, m
/// intermediate, T rows (all tokens of a batch), W width of query, key and value together.
package struct Network: Sendable {
  package let sizes: ModelSizes
  package let style: BlockStyle
  package let epsilon: Float
  package let shape: AttentionShape
  package let embedding: Weight  // [V, h]
  package let blocks: [BlockWeights]
  package let finalNorm: Matrix  // [1, h]
  package let head: Weight  // [V, h]
  package let recurrence: Recurrence?

  /// What is special about a recurrent network; its prelude and coda are the blocks around `core`.
  package struct Recurrence: Sendable {
    package let core: Range<Int>
    /// The adapter's columns that meet the state, and those that meet the prelude's output; nil for
    /// additive injection.
    package let adapter: (state: Weight, prelude: Weight)?  // [h, h] each
    package let coreNorm: Matrix?  // [1, h]
    package let start: StateStart
    package let mean: Int
  }

  /// - Parameter weight: The weights of a field; nil when the graph has no such field.
  package init(
    _ graph: ModelGraph, weight: (Field.Role) -> Weight?
  ) throws(TransformerError) {
    sizes = graph.sizes
    style = graph.style
    epsilon = Float(graph.normEpsilon)
    shape = AttentionShape(
      heads: sizes.heads, keyValueHeads: sizes.keyValueHeads, headSize: sizes.headSize)
    func need(_ role: Field.Role) throws(TransformerError) -> Weight {
      guard let weight = weight(role) else {
        throw TransformerError(.missingParameter(role: "\(role)"))
      }
      return weight
    }
    embedding = try need(.embedding)
    var blocks: [BlockWeights] = []
    for index in graph.blocks.indices {
      blocks.append(try BlockWeights(style) { weight(.block(index, $0)) })
    }
    self.blocks = blocks
    guard let norm = try need(.finalNorm).matrix else {
      throw TransformerError(.missingParameter(role: "finalNorm"))
    }
    finalNorm = norm
    head = weight(.head) ?? embedding
    if let body = graph.recurrence {
      let adapter = weight(.adapter)
      if body.injection == .linear, adapter == nil {
        throw TransformerError(.missingParameter(role: "adapter"))
      }
      recurrence = Recurrence(
        core: body.prelude.count..<(body.prelude.count + body.core.count),
        adapter: adapter.map {
          ($0.columns(0..<$0.columns / 2), $0.columns($0.columns / 2..<$0.columns))
        }, coreNorm: weight(.coreNorm)?.matrix,
        start: body.stateStart, mean: body.meanRecurrence)
    } else {
      recurrence = nil
    }
  }

  package var queryWidth: Int { sizes.queryWidth }
  /// Width of query and key together.
  package var rotatedWidth: Int { sizes.queryWidth + sizes.keyValueWidth }
  /// W.
  package var fusedWidth: Int { sizes.queryWidth + 2 * sizes.keyValueWidth }

  /// Blocks that run before the core; all of them in a plain network.
  package var preludeBlocks: Range<Int> { 0..<(recurrence?.core.lowerBound ?? blocks.count) }
  package var coreBlocks: Range<Int> { recurrence?.core ?? blocks.count..<blocks.count }
  package var codaBlocks: Range<Int> { coreBlocks.upperBound..<blocks.count }
}

/// The weights of one block, or their gradients. Norms and biases are float32.
package struct BlockWeights: Sendable {
  package let attentionNorm: Matrix  // [1, h]
  package let queryKeyValue: Weight  // [W, h]
  package let queryKeyValueBias: Matrix?  // [1, W]
  package let queryNorm: Matrix?  // [1, headSize] or [1, heads * headSize]
  package let keyNorm: Matrix?  // [1, headSize] or [1, keyValueHeads * headSize]
  package let output: Weight  // [h, heads * headSize]
  package let outputBias: Matrix?  // [1, h]
  package let mlpNorm: Matrix  // [1, h]
  package let gateUp: Weight  // [2m, h]
  package let gateUpBias: Matrix?  // [1, 2m]
  package let down: Weight  // [h, m]
  package let downBias: Matrix?  // [1, h]

  init(_ style: BlockStyle, weight: (BlockRole) -> Weight?) throws(TransformerError) {
    func matrix(_ role: BlockRole) throws(TransformerError) -> Weight {
      guard let weight = weight(role) else {
        throw TransformerError(.missingParameter(role: role.rawValue))
      }
      return weight
    }
    func vector(_ role: BlockRole, if isNeeded: Bool) throws(TransformerError) -> Matrix? {
      isNeeded ? try matrix(role).matrix : nil
    }
    func vector(_ role: BlockRole) throws(TransformerError) -> Matrix {
      guard let vector = try matrix(role).matrix else {
        throw TransformerError(.missingParameter(role: role.rawValue))
      }
      return vector
    }
    attentionNorm = try vector(.attentionNorm)
    queryKeyValue = try matrix(.queryKeyValue)
    queryKeyValueBias = try vector(.queryKeyValueBias, if: style.queryKeyValueBias)
    queryNorm = try vector(.queryNorm, if: style.queryKeyNorm != .none)
    keyNorm = try vector(.keyNorm, if: style.queryKeyNorm != .none)
    output = try matrix(.output)
    outputBias = try vector(.outputBias, if: style.outputBias)
    mlpNorm = try vector(.mlpNorm)
    gateUp = try matrix(.gateUp)
    gateUpBias = try vector(.gateUpBias, if: style.mlpBias)
    down = try matrix(.down)
    downBias = try vector(.downBias, if: style.mlpBias)
  }
}
