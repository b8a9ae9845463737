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
  ///
  /// Experts' loads are balanced beside: `balanceLoss` tells how, and enters the gradient with the
  /// coefficient of the model's configuration, over the sequences that run at once. The last pass's
  /// step is penalised by `settlingWeight`, and told by `settlingLoss`. Shallower states have the losses
  /// that `supervision` says, and `supervisionLoss` tells their mean.
  package func lossAndGradient(
    _ batch: Batch, labels: [Int32], noGradSteps: Int = 0, gradSteps: Int = 0,
    state: InitialState = .seeded(0), scale: Double = 1
  ) throws -> LossSum {
    let count = try check(batch, labels, state, passes: noGradSteps + gradSteps)
    var sum = LossSum(nats: 0, count: count)
    (balanceLoss, settlingLoss, supervisionLoss) = (nil, nil, nil)
    try forEachSlice(of: batch, noGradSteps: noGradSteps, gradSteps: gradSteps) { pass, part in
      let labels = Array(labels[part.tokens])
      if labels.allSatisfy({ $0 < 0 }) { return }
      let supervised = try forward(
        pass, state.part(part, width: network.sizes.hidden), labels, of: count, scale: scale)
      sum.nats += pass.loss(labels, weight: Float(scale / Double(count)))
      backward(pass, labels, of: count, scale: scale, supervised)
    }
    return sum
  }

  /// Takes the gradient of a slice back through the network; the slice's share of the `count` labels
  /// is its weight in the means that `balanceLoss` and `settlingLoss` are.
  ///
  /// - Parameter supervised: What `forward` gave.
  func backward(
    _ pass: TrainingPass, _ labels: [Int32], of count: Int, scale: Double,
    _ supervised: [Int: Matrix]
  ) {
    let share = Double(labels.count { $0 >= 0 }) / Double(count)
    if let balance = pass.balance { balanceLoss = (balanceLoss ?? 0) + share * balance.loss }
    let settling = settlingWeight > 0 ? pass.settling(labels, of: count) : nil
    if let settling { settlingLoss = (settlingLoss ?? 0) + settling.loss }
    pass.backward(
      balanceWeight: scale * share, settling: settling?.factors(weight: settlingWeight * scale),
      supervised: supervised)
  }

  /// The same loss without gradients.
  ///
  /// - Parameter recurrence: Passes through the core; nil takes the model's own number.
  package func loss(
    _ batch: Batch, labels: [Int32], recurrence: Int? = nil, state: InitialState = .seeded(0)
  ) throws -> LossSum {
    try losses(batch, labels: labels, recurrence: recurrence, state: state).reduce(into: LossSum())
    {
      $0 += $1
    }
  }

  /// The same, of each sequence.
  package func losses(
    _ batch: Batch, labels: [Int32], recurrence: Int? = nil, state: InitialState = .seeded(0)
  ) throws -> [LossSum] {
    var sums: [LossSum] = []
    try forEachForward(batch, labels: labels, recurrence: recurrence, state: state) { pass, own in
      let normed = pass.normedFinal()
      for start in stride(from: 0, to: own.count, by: batch.length) {
        let tokens = start..<start + batch.length
        let labels = Array(own[tokens])
        let nats = crossEntropy(
          dHidden: nil, dHead: nil, hidden: normed.rows(tokens), head: network.head,
          form: network.logitForm, labels: labels, weight: 0, logits: pass.room.logits, on: compute)
        sums.append(LossSum(nats: nats, count: labels.count { $0 >= 0 }))
      }
    }
    return sums
  }

  /// Takes a batch forward without gradients, and calls `body` for the parts that run at once, in
  /// order, each with its labels.
  func forEachForward(
    _ batch: Batch, labels: [Int32], recurrence: Int?, state: InitialState,
    _ body: (TrainingPass, [Int32]) throws -> Void
  ) throws {
    if network.recurrence == nil, recurrence != nil { throw TransformerError(.notRecurrent) }
    let passes = recurrence ?? network.recurrence?.mean ?? 0
    _ = try check(batch, labels, state, passes: passes)
    try forEachSlice(of: batch, noGradSteps: passes, gradSteps: 0) { pass, part in
      try pass.forward(state.part(part, width: network.sizes.hidden))
      try body(pass, Array(labels[part.tokens]))
    }
  }

  func check(
    _ batch: Batch, _ labels: [Int32], _ state: InitialState, passes: Int
  ) throws(TransformerError) -> Int {
    try batch.check(network)
    guard labels.count == batch.tokens.count else {
      throw TransformerError(
        .raggedBatch(count: labels.count, sequences: batch.sequences, length: batch.length))
    }
    try checkLabels(labels, network)
    guard (passes > 0) == (network.recurrence != nil), passes <= Model.mostRecurrences else {
      throw TransformerError(
        network.recurrence == nil ? .notRecurrent : .recurrenceOutOfRange(passes))
    }
    let floats = labels.count * network.sizes.hidden
    if case .given(let values) = state, values.count != floats {
      throw TransformerError(.stateSize(found: values.count, expected: floats))
    }
    let count = labels.count { $0 >= 0 }
    guard count > 0 else { throw TransformerError(.noLabels) }
    return count
  }

  /// Calls `body` for the parts of a batch that run at once, in order.
  func forEachSlice(
    of batch: Batch, noGradSteps: Int, gradSteps: Int,
    _ body: (TrainingPass, Batch.Part) throws -> Void
  ) throws {
    let plan = plan(sequences: batch.sequences, length: batch.length, gradSteps: gradSteps)
    let room = try room(plan)
    if let lowRank, lowRankRoom?.rows != plan.rows {
      lowRankRoom = nil
      lowRankRoom = try LowRankRoom(rows: plan.rows, rank: lowRank.rank)
    }
    let tables = try rotation(batch.length)
    let positions = (0..<plan.rows).map { Int32($0 % batch.length) }
    for first in stride(from: 0, to: batch.sequences, by: plan.sequences) {
      let part = batch.part(first..<(first + plan.sequences))
      let slice = try batch.slice(part)
      let visibility = Visibility(
        sequences: slice.sequences, queries: slice.length, first: slice.firstVisible)
      let context = BlockContext(
        network: network, tables: tables, positions: positions, visibility: visibility,
        compute: compute)
      try body(
        TrainingPass(
          model: self, context: context, room: room, batch: slice, noGradSteps: noGradSteps,
          gradSteps: gradSteps,
          balance: gradSteps > 0 || noGradSteps == 0
            ? ExpertBalance(network) : nil), part)
    }
  }

  private func room(_ plan: ActivationPlan) throws -> TrainingRoom {
    if let room, room.plan == plan { return room }
    // The old one goes first, so that two never stand side by side.
    room = nil
    let new = try TrainingRoom(network, plan)
    room = new
    return new
  }
}
