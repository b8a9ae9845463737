extension TrainingSettings {
  /// Passes through the core in micro-batch `number` of the run, at `step`.
  func draw(_ number: Int, step: Int, isRecurrent: Bool) -> RecurrenceDraw {
    isRecurrent
      ? sampler.draw(microBatch: number, step: step, of: steps)
      : RecurrenceDraw(withoutGradient: 0, withGradient: 1)
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
    let size = effectiveMicroBatchSize
    let batches = batchSize / size
    func cost(_ draw: RecurrenceDraw) -> Double {
      ledger.full(tokens: size * sequenceLength, sequenceLength: sequenceLength, draw)
    }
    let beside = Double(count) * ledger.perStep
    guard isRecurrent else {
      let draw = run.draw(0, step: 0, isRecurrent: false)
      return beside + Double(count * batches) * cost(draw)
    }
    var sum = beside
    for step in 0..<count {
      for batch in 0..<batches {
        sum += cost(run.draw(step * batches + batch, step: step, isRecurrent: true))
      }
    }
    return sum
  }
}
