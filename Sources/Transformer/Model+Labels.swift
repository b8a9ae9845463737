import Kernels
import ModelGraph
import Tensors

/// What a model makes of one label.
package struct LabelScore: Equatable, Sendable {
  /// Negative log-likelihood, in nats.
  package var nats: Double
  /// Whether no other token is more likely: greedy decoding takes the label.
  package var isFirst: Bool
}

extension Model {
  /// How well the model predicts each label, one by one.
  ///
  /// - Parameters:
  ///   - labels: `[B * S]`, aligned to the logits, not shifted; -100 is passed over.
  ///   - options: What to run; its `logits` and `keepsHidden` are not obeyed.
  /// - Returns: A score for each label that is not passed over, in order.
  /// - Throws: `TransformerError`, also for a loss that is NaN or infinite.
  package func scores(
    _ batch: Batch, labels: [Int32], _ options: ForwardOptions = ForwardOptions()
  ) throws -> [LabelScore] {
    let scores = try network.scores(
      of: lastHidden(batch, labels: labels, options), labels: labels, on: compute)
    guard scores.allSatisfy(\.nats.isFinite) else { throw TransformerError(.nonFiniteLoss) }
    return scores
  }
}

extension TrainableModel {
  /// The same of the parameters as they are now, without gradients; NaN is no error.
  ///
  /// - Parameter recurrence: Passes through the core; nil takes the model's own number.
  package func scores(
    _ batch: Batch, labels: [Int32], recurrence: Int? = nil, state: InitialState = .seeded(0)
  ) throws -> [LabelScore] {
    var scores: [LabelScore] = []
    try forEachForward(batch, labels: labels, recurrence: recurrence, state: state) { pass, own in
      scores += try network.scores(of: pass.normedFinal(), labels: own, on: compute)
    }
    return scores
  }
}

extension Network {
  /// - Parameter normed: `[T, h]`, what the head reads.
  func scores(
    of normed: Matrix, labels: [Int32], on compute: Compute
  ) throws -> [LabelScore] {
    let wanted = labels.indices.filter { labels[$0] >= 0 }
    var scores: [LabelScore] = []
    let count = min(max(wanted.count, 1), Model.rowsAtATime)
    let hidden = try Matrix(rows: count, columns: normed.columns)
    let logits = try Matrix(rows: count, columns: sizes.vocabulary)
    let losses = try Matrix(rows: 1, columns: count)
    for start in stride(from: 0, to: wanted.count, by: count) {
      let rows = wanted[start..<min(start + count, wanted.count)]
      for (i, row) in rows.enumerated() {
        for column in 0..<normed.columns { hidden[i, column] = normed[row, column] }
      }
      let chunk = logits.rows(0..<rows.count)
      predict(chunk, hidden.rows(0..<rows.count), on: compute)
      let own = rows.map { labels[$0] }
      let isFirst = own.indices.map { i in
        let value = chunk[i, Int(own[i])]
        return (0..<chunk.columns).allSatisfy { chunk[i, $0] <= value }
      }
      _ = crossEntropy(
        losses: losses.columns(0..<rows.count), chunk, labels: own, weight: 0, on: compute)
      scores += own.indices.map { LabelScore(nats: Double(losses[0, $0]), isFirst: isFirst[$0]) }
    }
    return scores
  }
}
