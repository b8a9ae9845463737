extension TrainingSettings {
  /// Sequences of a micro-batch that make as many passes through the core.
  struct DrawnSequences {
    var draw: RecurrenceDraw
    /// Indices in the micro-batch, ascending.
    var sequences: [Int]
  }

  /// What micro-batch `number` of the run draws at `step`: one number for all of it or, if each
  /// sequence draws, what micro-batches of one sequence would, those that agree together.
  func draws(_ number: Int, step: Int, isRecurrent: Bool) -> [DrawnSequences] {
    let all = Array(0..<effectiveMicroBatchSize)
    guard isRecurrent else {
      return [.init(draw: RecurrenceDraw(withoutGradient: 0, withGradient: 1), sequences: all)]
    }
    func draw(_ number: Int) -> RecurrenceDraw {
      sampler.draw(microBatch: number, step: step, of: steps)
    }
    guard recurrence.isPerSequence else { return [.init(draw: draw(number), sequences: all)] }
    return Dictionary(grouping: all) { draw(number * all.count + $0) }
      .map { DrawnSequences(draw: $0, sequences: $1) }
      .sorted { $0.sequences[0] < $1.sequences[0] }
  }

  /// Most steps that a number of FLOPs is turned into: each is drawn.
  private static let mostSteps = 1 << 20

  /// The most steps that cost no more than `flops`, everything counted, with the recurrences that the
  /// run will draw; curricula and schedules that are shares of the run are stretched with it.
  ///
  /// - Throws: `TrainingError(.flops)` when not one step fits, or more than 1,048,576 do.
  package func steps(
    within flops: Double, _ ledger: FLOPLedger, isRecurrent: Bool
  ) throws(TrainingError) -> Int {
    var (low, high) = (0, 1)
    while cost(high, ledger, isRecurrent) <= flops {
      (low, high) = (high, high * 2)
      guard high <= Self.mostSteps else {
        throw TrainingError(.flops(flops, least: nil))
      }
    }
    guard low > 0 else {
      throw TrainingError(.flops(flops, least: cost(1, ledger, isRecurrent)))
    }
    while high - low > 1 {
      let middle = (low + high) / 2
      if cost(middle, ledger, isRecurrent) <= flops { low = middle } else { high = middle }
    }
    return low
  }

  /// FLOPs of a run of `count` steps.
  private func cost(_ count: Int, _ ledger: FLOPLedger, _ isRecurrent: Bool) -> Double {
    var run = self
    run.steps = count
    let batches = batchSize / effectiveMicroBatchSize
    func cost(_ number: Int, step: Int) -> Double {
      run.draws(number, step: step, isRecurrent: isRecurrent).reduce(0) { sum, part in
        sum
          + ledger.full(
            tokens: part.sequences.count * sequenceLength, sequenceLength: sequenceLength, part.draw
          )
      }
    }
    let beside = Double(count) * ledger.perStep
    if !isRecurrent { return beside + Double(count * batches) * cost(0, step: 0) }
    var sum = beside
    for step in 0..<count {
      for batch in 0..<batches { sum += cost(step * batches + batch, step: step) }
    }
    return sum
  }
}
