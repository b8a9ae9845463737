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

  /// Everything that multiplies, for what was really drawn: adapter, head and attention too.
  package func full(tokens: Int, sequenceLength: Int, _ draw: RecurrenceDraw) -> Double {
    // A token sees (S + 1) / 2 tokens on average.
    let seen = Double(attention) * Double(sequenceLength + 1) / 2
    let outside =
      Double(prelude + coda + head) + seen * Double(preludeBlocks + codaBlocks)
    let pass = Double(core + adapter) + seen * Double(coreBlocks)
    return Double(tokens)
      * (6 * (outside + pass * Double(draw.withGradient)) + 2 * pass * Double(draw.withoutGradient))
  }
}
