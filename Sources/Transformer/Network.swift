package import Kernels
package import ModelGraph
import Tensors

/// A graph's weights as the kernels want them, and the order in which its blocks run.
///
/// Gradients have the same structure. Letters in shape comments: V vocabulary, h hidden, m
/// intermediate, T rows (all tokens of a batch), W width of query, key and value together.
package struct Network: Sendable {
  package let sizes: ModelSizes
  package let spec: ModelSpec
  /// The rotary embeddings of the blocks, each once.
  let rotaries: [RotaryEmbedding]
  package let embedding: Weight  // [V, h]
  package let blocks: [BlockWeights]
  package let finalNorm: Norm
  package let head: Weight  // [V, h]
  /// What makes logits of the head's results.
  package let logitForm: LogitForm
  package let recurrence: Recurrence?

  /// What is special about a recurrent network; its prelude and coda are the blocks around `core`.
  package struct Recurrence: Sendable {
    package let core: Range<Int>
    package let injector: Injector
    package let coreNorm: Norm?
    /// Makes the new state of a gated injection; nil of other kinds.
    package let gate: StateGate?
    package let start: StateStart
    package let mean: Int

    /// Whether the state goes through the final norm before the coda.
    let normsLatent: Bool

    /// Whether the core's output is not yet the state, so that gradients read both.
    var keepsOutput: Bool { coreNorm != nil || gate != nil }

    /// Makes the new state of the core's output.
    ///
    /// - Parameters:
    ///   - next: `[T, h]`, overwritten; may be `state`.
    ///   - output: `[T, h]`.
    ///   - state: `[T, h]`, the one before the pass.
    ///   - wide: `[T, h]`, for a gate to work in.
    ///   - room: `[T, h]`, likewise.
    func finish(
      _ next: Matrix, _ output: Matrix, from state: Matrix, bypassesGate: Bool = false,
      wide: Matrix, room: Matrix, on compute: Compute
    ) {
      if let coreNorm {
        coreNorm.apply(next, output, on: compute)
      } else if let gate, !bypassesGate {
        gate.apply(next, output: output, state: state, wide: wide, room: room, on: compute)
      } else {
        copy(next, output, on: compute)
      }
    }

    /// Whether the final norm takes part in the recurrence.
    var meetsFinalNorm: Bool { injector.kind == .carry || normsLatent }
  }

  /// - Parameter weight: The weights of a field; nil when the graph has no such field.
  package init(_ graph: ModelGraph, weight: (Field.Role) -> Weight?) throws {
    sizes = graph.sizes
    contextLimit = graph.contextLimit
    spec = graph.spec
    func need(_ role: Field.Role) throws(TransformerError) -> Weight {
      guard let weight = weight(role) else {
        throw TransformerError(.missingParameter(role: "\(role)"))
      }
      return weight
    }
    embedding = try need(.embedding)
    var rotaries: [RotaryEmbedding] = []
    var blocks: [BlockWeights] = []
    for (index, block) in graph.blocks.enumerated() {
      let rotation = block.spec.attention.rotary.map { rotary in
        if let known = rotaries.firstIndex(of: rotary) { return known }
        rotaries.append(rotary)
        return rotaries.count - 1
      }
      blocks.append(
        try BlockWeights(block.spec, sizes, rotation: rotation) { weight(.block(index, $0)) })
    }
    self.blocks = blocks
    self.rotaries = rotaries
    guard let norm = try need(.finalNorm).matrix else {
      throw TransformerError(.missingParameter(role: "finalNorm"))
    }
    finalNorm = Norm(norm, spec.finalNorm)
    head = weight(.head) ?? embedding
    logitForm = LogitForm(divisor: spec.logitsDivisor, softcap: spec.logitSoftcap)
    guard let body = graph.recurrence else {
      recurrence = nil
      return
    }
    recurrence = Recurrence(
      core: body.prelude.count..<(body.prelude.count + body.core.count),
      injector: try Injector(body.injection.kind, norm: finalNorm) { weight(.injection($0)) },
      coreNorm: (weight(.coreNorm)?.matrix).map {
        Norm($0, NormSpec(epsilon: graph.spec.finalNorm.epsilon))
      }, gate: try Self.gate(graph, body, weight), start: body.stateStart,
      mean: body.meanRecurrence, normsLatent: body.normsLatent)
  }

  private static func gate(
    _ graph: ModelGraph, _ body: RecurrentBody, _ weight: (Field.Role) -> Weight?
  ) throws -> StateGate? {
    guard body.injection.kind == .gated else { return nil }
    guard let down = weight(.injection(.gateDown)), let up = weight(.injection(.gateUp)) else {
      throw TransformerError(.missingParameter(role: "gate"))
    }
    return try StateGate(down: down, up: up, epsilon: graph.spec.finalNorm.epsilon)
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

  /// The most tokens of a sequence.
  package let contextLimit: Int

  /// The first block's input: rows of the embedding, times the model's factor.
  func embed(_ stream: Matrix, _ tokens: [Int32], on compute: Compute) {
    Kernels.embed(stream, tokens: tokens, table: embedding, on: compute)
    let factor = Float(spec.embeddingMultiplier)
    if factor != 1 { scale(stream, by: factor, on: compute) }
  }

  /// Logits `[rows, V]` of what the final norm gave, `[rows, h]`.
  func predict(_ logits: Matrix, _ normed: Matrix, on compute: Compute) {
    linear(logits, normed, head, on: compute)
    logitForm.apply(logits, on: compute)
  }

  // What some block needs room for.
  /// Width of the MLPs that serve all tokens; 0 where no block has one.
  var denseWidth: Int { blocks.contains { $0.experts == nil } ? sizes.intermediate : 0 }
  var experts: [ExpertWeights] { blocks.compactMap(\.experts) }
  var hasOutputNorms: Bool {
    blocks.contains {
      [$0.attentionOutputNorm, $0.mlpOutputNorm, $0.attentionSumNorm, $0.mlpSumNorm].contains {
        $0 != nil
      }
    }
  }
  var hasQueryKeyNorms: Bool { blocks.contains { $0.queryNorm != nil } }
  var scalesResiduals: Bool { blocks.contains { $0.residual != 1 } }
}

/// An RMSNorm's weight, or that weight's gradient, with the norm's constants.
package struct Norm: Sendable {
  package let weight: Matrix  // [1, width]
  let offset: Float
  let epsilon: Float

  init(_ weight: Matrix, _ spec: NormSpec) {
    self.weight = weight
    offset = Float(spec.offset)
    epsilon = Float(spec.epsilon)
  }

  /// `y = norm(x)`, or `y += norm(x)`.
  func apply(_ y: Matrix, _ x: Matrix, adding: Bool = false, on compute: Compute) {
    rmsNorm(
      y, x, scale: weight, offset: offset, epsilon: epsilon, adding: adding, on: compute)
  }

  /// Gradient of `apply`; adds to that of the weight where it is wanted.
  func backward(
    _ dx: Matrix, _ dWeight: Norm?, _ dy: Matrix, _ x: Matrix, adding: Bool = false,
    on compute: Compute
  ) {
    rmsNormBackward(
      dx, dWeight?.weight, dy, x, scale: weight, offset: offset, epsilon: epsilon, adding: adding,
      on: compute)
  }
}
