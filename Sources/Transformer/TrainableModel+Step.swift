import Kernels
import ModelGraph

extension TrainableModel {
  /// Computes the mean cross-entropy over the labels of a batch and adds its gradient, times
  /// `scale`, to `gradients`.
  ///
  /// The first passes through the core leave no trace; the prelude's output enters every pass, and
  /// through the passes with gradient its own gradient adds up.
  ///
  /// - Parameters:
  ///   - labels: `[B * S]`, aligned to the tokens; -100 is ignored.
  ///   - noGradSteps: Passes without gradient; 0 for a plain model.
  ///   - gradSteps: Passes with gradient after them; 0 for a plain model.
  ///   - state: Given values replace the model's own start.
  package func lossAndGradient(
    _ batch: Batch, labels: [Int32], noGradSteps: Int = 0, gradSteps: Int = 0,
    state: InitialState = .seeded(0), scale: Double = 1
  ) throws -> LossSum {
    let count = try check(batch, labels, passes: noGradSteps + gradSteps)
    let pass = try pass(batch, noGradSteps: noGradSteps, gradSteps: gradSteps)
    try pass.forward(state)
    let sum = pass.loss(labels, weight: Float(scale / Double(count)))
    pass.backward()
    return LossSum(nats: sum, count: count)
  }

  /// The same loss without gradients.
  ///
  /// - Parameter recurrence: Passes through the core; nil takes the model's own number.
  package func loss(
    _ batch: Batch, labels: [Int32], recurrence: Int? = nil, state: InitialState = .seeded(0)
  ) throws -> LossSum {
    if network.recurrence == nil, recurrence != nil { throw TransformerError(.notRecurrent) }
    let passes = recurrence ?? network.recurrence?.mean ?? 0
    let count = try check(batch, labels, passes: passes)
    let pass = try pass(batch, noGradSteps: passes, gradSteps: 0)
    try pass.forward(state)
    return LossSum(nats: pass.loss(labels, weight: nil), count: count)
  }

  func check(
    _ batch: Batch, _ labels: [Int32], passes: Int
  ) throws(TransformerError) -> Int {
    try batch.check(network)
    guard labels.count == batch.tokens.count else {
      throw TransformerError(
        .raggedBatch(count: labels.count, sequences: batch.sequences, length: batch.length))
    }
    try checkLabels(labels, network)
    guard (passes > 0) == (network.recurrence != nil) else {
      throw TransformerError(
        network.recurrence == nil ? .notRecurrent : .recurrenceOutOfRange(passes))
    }
    let count = labels.count { $0 >= 0 }
    guard count > 0 else { throw TransformerError(.noLabels) }
    return count
  }

  func pass(_ batch: Batch, noGradSteps: Int, gradSteps: Int) throws -> TrainingPass {
    let visibility = Visibility(
      sequences: batch.sequences, queries: batch.length, first: batch.firstVisible)
    let rows = visibility.rows
    let room: TrainingRoom
    if let old = self.room, old.rows == rows, old.steps >= gradSteps {
      room = old
    } else {
      // The old one goes first, so that two never stand side by side.
      let steps = max(gradSteps, self.room?.steps ?? 0)
      self.room = nil
      room = try TrainingRoom(network, rows: rows, steps: steps, budget: activationBudget)
      self.room = room
    }
    if let lowRank, lowRankRoom?.rows != rows {
      lowRankRoom = nil
      lowRankRoom = try LowRankRoom(rows: rows, rank: lowRank.rank)
    }
    let context = BlockContext(
      network: network, table: try rotation(batch.length),
      positions: (0..<rows).map { Int32($0 % batch.length) }, visibility: visibility,
      workers: workers)
    return TrainingPass(
      model: self, context: context, room: room, batch: batch, noGradSteps: noGradSteps,
      gradSteps: gradSteps)
  }
}
