import ModelGraph
package import Recurrence
package import Transformer

/// Tries every block of successive layers of a plain model as a core: looped on the weights as they
/// are, by its loss on some text. No layer is dropped.
package struct LoopSearch {
  package struct Candidate: Equatable, Sendable {
    package let layers: ClosedRange<Int>
    package var loss = LossSum()

    /// What it is ranked by, in nats a token; a loop that overflows comes last.
    package var rank: Double { loss.mean.isFinite ? loss.mean : .infinity }

    /// All layers of a model of `count`, these as its core.
    package func selection(of count: Int) throws(RecurrenceError) -> LayerSelection {
      try LayerSelection(
        prelude: Array(0..<layers.lowerBound), core: Array(layers),
        coda: Array(layers.upperBound + 1..<count), of: count)
    }
  }

  /// Where all layers run once.
  package private(set) var source = LossSum()
  /// By loss, the lowest first; the earlier and then the shorter one among equals.
  package private(set) var candidates: [Candidate]

  /// - Parameters:
  ///   - windows: At least one, with at least one label.
  ///   - lengths: Layers of a core.
  ///   - passes: Passes through the core.
  ///   - damping: The share of each pass that counts.
  ///   - progress: Called after each loop in each window.
  /// - Throws: `TransformerError`, for a model whose own loss is not finite too.
  package init(
    _ model: Model, _ windows: TokenWindows, lengths: ClosedRange<Int>, passes: Int,
    damping: Float, _ progress: () -> Void
  ) throws {
    let layers = Self.blocks(of: model.graph.blocks.count, lengths: lengths)
    var candidates = layers.map { Candidate(layers: $0) }
    let loops = layers.map { LoopedBlocks($0, passes: passes, damping: damping) }
    for window in windows.windows {
      let batch = try Batch(
        tokens: window.tokens, sequences: 1, firstVisible: window.firstVisible)
      source += try model.loss(batch, labels: window.labels)
      let losses = try model.losses(batch, labels: window.labels, looping: loops, progress)
      for (i, loss) in losses.enumerated() { candidates[i].loss += loss }
    }
    self.candidates = candidates.sorted {
      ($0.rank, $0.layers.lowerBound, $0.layers.count)
        < ($1.rank, $1.layers.lowerBound, $1.layers.count)
    }
  }

  /// Every block that leaves the prelude and the coda a layer.
  package static func blocks(of count: Int, lengths: ClosedRange<Int>) -> [ClosedRange<Int>] {
    (1..<max(1, count - 1)).flatMap { first in
      (first..<count - 1).map { first...$0 }.filter { lengths.contains($0.count) }
    }
  }
}
