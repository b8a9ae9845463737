import Kernels
import Platform
import Tensors
import Transformer

extension Trainer {
  /// Does one step: reads, accumulates, updates.
  func step() throws -> StepRecord {
    let start = clock.now
    // A model that is not recurrent is passed through once, whatever the settings say.
    let (mean, depth) =
      job.model.isRecurrent
      ? (
        settings.sampler.mean(at: progress.step, of: settings.steps),
        settings.recurrence.backpropDepth.value(at: progress.step, of: settings.steps)
      ) : (1, 1)
    let batches = try nextMicroBatches()
    let (loss, exchangeTime) = try accumulate(batches)
    let norm = optimizer.norm(of: job.model.gradients)
    let rate = settings.schedule.factor(at: progress.step, of: settings.steps)
    // A step of prompts alone has nothing to learn from; its loss is no number.
    if batches.contains(where: { $0.labelCount > 0 }) {
      try update(norm: norm, loss: loss.crossEntropy, rate: rate)
    }
    let tokens = settings.batchSize * settings.sequenceLength
    progress.step += 1
    progress.tokens += tokens
    progress.flops += job.ledger.paper(tokens: tokens, mean: mean, depth: depth)
    progress.fullFLOPs += job.ledger.perStep
    let seconds = (clock.now - start) / .seconds(1)
    progress.seconds += seconds
    var record = StepRecord(
      step: progress.step, tokens: progress.tokens, loss: loss.crossEntropy,
      divergence: loss.divergence, meanRecurrence: mean,
      recurrence: batches.mean(\.total), backpropDepth: batches.mean(\.withGradient),
      learningRate: settings.optimizer.mainLearningRate * rate, gradientNorm: norm,
      tokensPerSecond: Double(tokens) / max(seconds, 1e-9), flops: progress.flops,
      fullFLOPs: progress.fullFLOPs, seconds: progress.seconds, memory: peakMemory)
    record.settling = loss.settling
    record.supervision = loss.supervision
    if exchange.worldSize > 1 { record.exchange = exchangeTime }
    return record
  }

  fileprivate struct MicroBatch {
    /// Sequences that make as many passes, which run together: all, unless each draws.
    struct Part {
      var tokens: TokenBatch
      /// Labels that count in the loss.
      var labelCount: Int
      var draw: RecurrenceDraw
    }

    var parts: [Part] = []
    var stateSeed: UInt64
    /// FLOPs.
    var cost = 0.0

    var labelCount: Int { parts.reduce(0) { $0 + $1.labelCount } }
  }

  /// Reads and draws the step's micro-batches. Every rank does so for all of them, so that cursor
  /// and counts stay the same everywhere.
  private func nextMicroBatches() throws -> [MicroBatch] {
    let size = settings.effectiveMicroBatchSize
    let seeds = RandomStream(seed: settings.seed, stream: Self.stateStream)
    return try (0..<settings.batchSize / size).map { _ in
      let rows = try (0..<size).map { _ in try job.data.next(&progress.cursor) }
      let number = progress.microBatches
      var batch = MicroBatch(stateSeed: seeds[UInt64(number)])
      var rowsBefore = 0
      for drawn in settings.draws(
        number, step: progress.step, isRecurrent: job.model.isRecurrent)
      {
        // Each sequence has a start state of its own, whichever it runs with.
        let tokens = TokenBatch(
          drawn.sequences.map { rows[$0] }, firstRow: rowsBefore,
          attention: settings.data.attention)
        rowsBefore += drawn.sequences.count
        batch.cost += job.ledger.full(
          tokens: drawn.sequences.count * settings.sequenceLength,
          sequenceLength: settings.sequenceLength, drawn.draw)
        batch.parts.append(
          .init(tokens: tokens, labelCount: tokens.targetCount, draw: drawn.draw))
      }
      progress.microBatches += 1
      progress.fullFLOPs += batch.cost
      return batch
    }
  }

  /// Adds up the gradients of this rank's micro-batches, and of all ranks': each micro-batch
  /// weighs as many labels as it has, so the sum is the gradient of the mean over the step's labels,
  /// however the step is cut.
  ///
  /// During the last one's backward pass, what is complete is already on its way.
  ///
  /// - Returns: The mean loss over the step's labels, and the time that the sums took.
  private func accumulate(
    _ batches: [MicroBatch]
  ) throws -> (loss: MicroBatchLoss, exchangeTime: ExchangeTime) {
    let active = exchange.activeSeconds
    let gradients = job.model.gradients
    clear(Matrix(gradients, rows: 1, columns: gradients.floatCount), on: job.compute)
    let shares = MicroBatchShares(costs: batches.map(\.cost), ranks: exchange.worldSize)
    let own = shares.perRank[exchange.rank]
    let labelCount = batches.reduce(0) { $0 + $1.labelCount }
    var losses = [MicroBatchLoss](repeating: MicroBatchLoss(0), count: batches.count)
    defer { job.model.observeStages(nil) }
    for index in own {
      losses[index] = try accumulate(
        batches[index], of: labelCount, completes: index == own.last)
    }
    let start = clock.now
    try buckets.finish()
    let loss = try mean(of: losses, weights: batches.map(\.labelCount))
    let time = ExchangeTime(
      waited: (clock.now - start) / .seconds(1), active: exchange.activeSeconds - active)
    return (loss, time)
  }

  /// Adds up the gradients of one micro-batch.
  ///
  /// - Parameters:
  ///   - labelCount: Of the step.
  ///   - completes: Whether this rank has no other to do after it.
  private func accumulate(
    _ batch: MicroBatch, of labelCount: Int, completes: Bool
  ) throws -> MicroBatchLoss {
    let parts = batch.parts.filter { $0.labelCount > 0 }
    var sum = MicroBatchLoss(0)
    for (number, part) in parts.enumerated() {
      if completes, number == parts.count - 1 { job.model.observeStages(buckets.complete) }
      let loss = try job.model.accumulate(
        part.tokens, part.draw, stateSeed: batch.stateSeed,
        scale: Double(part.labelCount) / Double(labelCount))
      sum.add(loss, share: Double(part.labelCount) / Double(batch.labelCount))
    }
    return sum
  }

  /// The mean over all labels, of micro-batches of which each rank knows its own; the others are 0
  /// there. It is added up in their order, so it does not depend on who ran which.
  private func mean(of losses: [MicroBatchLoss], weights: [Int]) throws -> MicroBatchLoss {
    let values = try exchange.sum(
      losses.map(\.crossEntropy) + losses.map { $0.divergence ?? 0 }
        + losses.map { $0.settling ?? 0 } + losses.map { $0.supervision ?? 0 })
    let total = Double(weights.reduce(0, +))
    func mean(_ values: ArraySlice<Double>) -> Double {
      zip(values, weights).reduce(0) { $0 + $1.0 * Double($1.1) } / total
    }
    let count = losses.count
    return MicroBatchLoss(
      mean(values[..<count]),
      divergence: job.model.hasTeacher ? mean(values[count..<2 * count]) : nil,
      settling: settings.recurrence.settling > 0 ? mean(values[2 * count..<3 * count]) : nil,
      supervision: settings.recurrence.supervision.depths > 0
        ? mean(values[(3 * count)...]) : nil)
  }

  private static let stateStream: UInt64 = 0x7374_6174_6500_0000  // "state"

  private func update(norm: Double, loss: Double, rate: Double) throws {
    guard norm.isFinite, loss.isFinite else {
      progress.skipped += 1
      progress.skippedInARow += 1
      report(.skipped(step: progress.step + 1))
      guard progress.skippedInARow < Self.patience else {
        throw diverged
      }
      return
    }
    progress.skippedInARow = 0
    let clip = settings.optimizer.clip
    let factor = clip > 0 ? min(1, clip / (norm + 1e-6)) : 1
    optimizer.step(
      parameters: job.model.parameters, gradients: job.model.gradients,
      gradientScale: factor, rate: rate)
    progress.updates = optimizer.stepCount
    try job.model.parametersChanged()
  }
}

extension [Trainer.MicroBatch] {
  /// The mean over all sequences of some number of passes.
  fileprivate func mean(_ passes: KeyPath<RecurrenceDraw, Int>) -> Double {
    let parts = flatMap(\.parts)
    let sum = parts.reduce(0) { $0 + $1.draw[keyPath: passes] * $1.tokens.rows }
    return Double(sum) / Double(parts.reduce(0) { $0 + $1.tokens.rows })
  }
}
