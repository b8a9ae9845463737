import Kernels
import ModelGraph
import Tensors

/// Negative log-likelihoods summed over tokens.
package struct LossSum: Equatable, Sendable {
  /// In nats.
  package var nats: Double
  /// Tokens that were predicted.
  package var count: Int

  package init(nats: Double = 0, count: Int = 0) {
    self.nats = nats
    self.count = count
  }

  /// In nats a token; NaN when there are none.
  package var mean: Double { nats / Double(count) }

  package static func += (sum: inout LossSum, other: LossSum) {
    sum.nats += other.nats
    sum.count += other.count
  }
}

extension Model {
  /// Rows of logits that exist at a time while a loss is summed.
  static let rowsAtATime = 128

  /// How well the model predicts `labels`: cross-entropy over the labels that count.
  ///
  /// - Parameters:
  ///   - labels: `[B * S]`, aligned to the logits, not shifted; -100 does not count.
  ///   - options: What to run; its `logits` and `keepsHidden` are not obeyed.
  /// - Throws: `TransformerError`, also for a loss that is NaN or infinite.
  package func loss(
    _ batch: Batch, labels: [Int32], _ options: ForwardOptions = ForwardOptions()
  ) throws -> LossSum {
    let normed = try lastHidden(batch, labels: labels, options)
    let room = try Matrix(
      rows: min(normed.rows, Self.rowsAtATime), columns: network.sizes.vocabulary)
    let nats = crossEntropy(
      dHidden: nil, dHead: nil, hidden: normed, head: network.head, form: network.logitForm,
      labels: labels, weight: 0, logits: room, on: compute)
    guard nats.isFinite else { throw TransformerError(.nonFiniteLoss) }
    return LossSum(nats: nats, count: labels.count { $0 >= 0 })
  }

  /// What the head reads, `[T, h]`, for a batch whose labels have been checked.
  func lastHidden(
    _ batch: Batch, labels: [Int32], _ options: ForwardOptions
  ) throws -> Matrix {
    guard labels.count == batch.tokens.count else {
      throw TransformerError(
        .raggedBatch(count: labels.count, sequences: batch.sequences, length: batch.length))
    }
    try checkLabels(labels, network)
    var options = options
    options.logits = .none
    options.keepsHidden = false
    return try forward(batch, options).normed
  }

  /// Negative log-likelihood of each label in nats, 0 where there is none.
  ///
  /// - Parameters:
  ///   - normed: `[T, h]`, after the final norm.
  ///   - labels: `[T]`, within the vocabulary; -100 does not count.
  func labelLosses(of normed: Matrix, labels: [Int32]) throws -> [Float] {
    let losses = try Matrix(rows: 1, columns: normed.rows)
    let room = try Matrix(
      rows: min(normed.rows, Self.rowsAtATime), columns: network.sizes.vocabulary)
    for start in stride(from: 0, to: normed.rows, by: room.rows) {
      let rows = start..<min(start + room.rows, normed.rows)
      let logits = room.rows(0..<rows.count)
      network.predict(logits, normed.rows(rows), on: compute)
      let nats = crossEntropy(
        losses: losses.columns(rows), logits, labels: Array(labels[rows]), weight: 0, on: compute)
      guard nats.isFinite else { throw TransformerError(.nonFiniteLoss) }
    }
    return losses.row(0)
  }
}
