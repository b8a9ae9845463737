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
    for start in stride(from: 0, to: wanted.count, by: count) {
      let rows = wanted[start..<min(start + count, wanted.count)]
      for (i, row) in rows.enumerated() {
        for column in 0..<normed.columns { hidden[i, column] = normed[row, column] }
      }
      let chunk = logits.rows(0..<rows.count)
      predict(chunk, hidden.rows(0..<rows.count), on: compute)
      scores += try self.scores(ofLogits: chunk, labels: rows.map { labels[$0] }, on: compute)
        .compactMap(\.self)
    }
    return scores
  }

  /// - Parameters:
  ///   - logits: `[N, V]`, overwritten.
  ///   - labels: Of each row; -100 has no score.
  func scores(
    ofLogits logits: Matrix, labels: [Int32], on compute: Compute
  ) throws(MemoryError) -> [LabelScore?] {
    let isFirst = labels.enumerated().map { row, label in
      guard label >= 0 else { return false }
      let value = logits[row, Int(label)]
      return (0..<logits.columns).allSatisfy { logits[row, $0] <= value }
    }
    let losses = try Matrix(rows: 1, columns: labels.count)
    _ = crossEntropy(losses: losses, logits, labels: labels, weight: 0, on: compute)
    return labels.indices.map { row in
      labels[row] >= 0
        ? LabelScore(nats: Double(losses[0, row]), isFirst: isFirst[row]) : nil
    }
  }
}
