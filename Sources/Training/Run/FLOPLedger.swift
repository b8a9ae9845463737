package import Transformer

/// What training costs, counted two ways.
///
/// Letters: N parameters of a part, r̄ the scheduled mean recurrence, b the backprop depth.
package struct FLOPLedger: Equatable, Sendable {
  /// Parameters of the prelude's blocks; of all blocks for a model that is not recurrent.
  package var prelude: Int
  package var core: Int
  package var coda: Int
  package var adapter: Int
  /// Elements of the output projection, whether or not it is tied to the embedding.
  package var head: Int
  /// Multiply-adds of attention scores and values, a block, token and visible token.
  package var attention: Int
  package var preludeBlocks: Int
  package var coreBlocks: Int
  package var codaBlocks: Int
  /// What of it is trained; nil for all.
  package var trained: Trained?
  package var teacher = Teacher()
  package var supervision = DeepSupervision()

  /// Parameters that have a gradient of their own, by part.
  package struct Trained: Equatable, Sendable {
    package var prelude = Side()
    package var core = Side()
    package var coda = Side()
    package var adapter = 0
    package var head = 0
    /// Whether the gradient goes back through the prelude.
    package var reachesPrelude = true
    /// Multiply-adds a step that make adapted matrices from their factors.
    package var merging = 0

    package init() {}

    package struct Side: Equatable, Sendable {
      /// Parameters of matrices that are trained whole.
      package var whole = 0
      /// Elements of low-rank factors.
      package var factors = 0

      package init() {}

      /// Multiply-adds a token: a factor takes part in two products that lead to its own gradient,
      /// and in none beside them, because the forward pass uses the merged matrix.
      fileprivate var work: Double { Double(whole) + 2 * Double(factors) }
    }
  }

  /// A model that is run forward beside the one that learns.
  package struct Teacher: Equatable, Sendable {
    /// Parameters that multiply, a token.
    package var parameters = 0
    /// As the ledger's own, of all blocks together.
    package var attention = 0

    package init() {}
  }

  package init(
    prelude: Int, core: Int, coda: Int, adapter: Int, head: Int, attention: Int,
    preludeBlocks: Int, coreBlocks: Int, codaBlocks: Int
  ) {
    self.prelude = prelude
    self.core = core
    self.coda = coda
    self.adapter = adapter
    self.head = head
    self.attention = attention
    self.preludeBlocks = preludeBlocks
    self.coreBlocks = coreBlocks
    self.codaBlocks = codaBlocks
  }

  /// The paper's formula, `D·[6(N_pre + N_core·min(r̄, b) + N_coda) + 2·N_core·max(0, r̄ - b)]`:
  /// blocks only, without embedding, head, adapter and attention scores.
  package func paper(tokens: Int, mean: Int, depth: Int) -> Double {
    let with = prelude + core * min(mean, depth) + coda
    return Double(tokens) * Double(6 * with + 2 * core * max(0, mean - depth))
  }

  /// Everything that multiplies, for what was really drawn: adapter, head and attention too, no
  /// gradients of what is not trained, low-rank factors, the teacher, and coda and head once more for
  /// each shallower state that has a loss. Activations that are computed again to save memory are not
  /// counted.
  package func full(tokens: Int, sequenceLength: Int, _ draw: RecurrenceDraw) -> Double {
    // A token sees (S + 1) / 2 tokens on average.
    let seen = Double(attention) * Double(sequenceLength + 1) / 2
    let forward =
      Double(prelude + coda + head) + seen * Double(preludeBlocks + codaBlocks)
      + (Double(core + adapter) + seen * Double(coreBlocks)) * Double(draw.total)
    // Attention's gradient costs twice its forward pass, a product's with its input once.
    let back =
      Double(coda + head) + 2 * seen * Double(codaBlocks)
      + (Double(core + adapter) + 2 * seen * Double(coreBlocks)) * Double(draw.withGradient)
    let reachesPrelude = trained?.reachesPrelude ?? true
    let backPrelude = Double(prelude) + 2 * seen * Double(preludeBlocks)
    let taught =
      Double(teacher.parameters) + Double(teacher.attention) * Double(sequenceLength + 1) / 2
    return 2 * Double(tokens)
      * (forward + back + (reachesPrelude ? backPrelude : 0) + weights(draw.withGradient) + taught
        + shallower(seen, draw))
  }

  /// Multiply-adds a token of the losses of shallower states.
  private func shallower(_ seen: Double, _ draw: RecurrenceDraw) -> Double {
    let count = coreBlocks == 0 ? 0 : supervision.places(steps: draw.withGradient).count
    if count == 0 { return 0 }
    let ends = Double(coda + head)
    let own = trained.map { $0.coda.work + Double($0.head) } ?? ends
    // Forward, back, and the weights' own gradients; attention's gradient costs twice its forward.
    let each = 2 * ends + own + 3 * seen * Double(codaBlocks)
    // The last state's prediction: the coda once more, and the head beside each.
    let taught =
      supervision.distils
      ? Double(coda) + seen * Double(codaBlocks) + Double(count * head) : 0
    return Double(count) * each + taught
  }

  /// Multiply-adds a token of the weights' own gradients.
  private func weights(_ passes: Int) -> Double {
    guard let trained else {
      return Double(prelude + coda + head) + Double(core + adapter) * Double(passes)
    }
    return trained.prelude.work + trained.coda.work + Double(trained.head)
      + (trained.core.work + Double(trained.adapter)) * Double(passes)
  }

  /// What a step costs beside its tokens.
  package var perStep: Double { 2 * Double(trained?.merging ?? 0) }
}
