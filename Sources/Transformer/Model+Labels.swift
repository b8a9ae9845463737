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
    let normed = try lastHidden(batch, labels: labels, options)
    let wanted = labels.indices.filter { labels[$0] >= 0 }
    var scores: [LabelScore] = []
    let count = min(max(wanted.count, 1), Self.rowsAtATime)
    let hidden = try Matrix(rows: count, columns: normed.columns)
    let logits = try Matrix(rows: count, columns: network.sizes.vocabulary)
    let losses = try Matrix(rows: 1, columns: count)
    for start in stride(from: 0, to: wanted.count, by: count) {
      let rows = wanted[start..<min(start + count, wanted.count)]
      for (i, row) in rows.enumerated() {
        for column in 0..<normed.columns { hidden[i, column] = normed[row, column] }
      }
      let chunk = logits.rows(0..<rows.count)
      network.predict(chunk, hidden.rows(0..<rows.count), on: compute)
      let own = rows.map { labels[$0] }
      let isFirst = own.indices.map { i in
        let value = chunk[i, Int(own[i])]
        return (0..<chunk.columns).allSatisfy { chunk[i, $0] <= value }
      }
      let nats = crossEntropy(
        losses: losses.columns(0..<rows.count), chunk, labels: own, weight: 0, on: compute)
      guard nats.isFinite else { throw TransformerError(.nonFiniteLoss) }
      scores += own.indices.map { LabelScore(nats: Double(losses[0, $0]), isFirst: isFirst[$0]) }
    }
    return scores
  }
}
