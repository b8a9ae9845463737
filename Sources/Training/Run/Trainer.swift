import ByteIO
import Charts
import JSON
package import Kernels
import Platform
import Tensors
import Transformer

/// Carries a model through a run: steps, evaluations, checkpoints, logs.
///
/// What happens at a step follows from the settings, the data and the state alone, so that a run
/// that was stopped and resumed gives the same losses, bit for bit.
package final class Trainer {
  /// What is trained, on what, and where it goes.
  package struct Job {
    package var settings: TrainingSettings
    package var model: any TrainingModel
    package var data: Dataset
    package var ledger: FLOPLedger
    package var run: RunFolder
    package var compute: Compute
    package var exchange: any GradientExchange = SingleProcess()
    /// Whether the run should stop after this step; asking takes note of the signal.
    package var shouldStop: () -> Bool = Interruption.acknowledge
    /// Tells the model that the run starts from from others.
    package var identity = ""
    /// Whether `writePackage` writes all parameters, not only what was trained.
    package var writesPackage = true
    /// Scores the questions at a recurrence, together with the other ranks; nil without questions.
    package var scoreAnswers: ((_ recurrence: Int?) throws -> EvaluationRecord.Answers)?
    /// What the model was made from makes of the held-out rows; nil where that was not measured.
    package var source: EvaluationRecord.Source?
    /// Lets the model go on from the beginnings of held-out rows; none without a tokenizer.
    package var makeSamples: () -> [EvaluationRecord.Sample] = { [] }
    /// Writes the model as it is now to a folder, in place of what is there.
    package var writePackage: (_ folder: String, _ progress: TrainerProgress) throws -> Void
    /// Writes a page about the run as its logs tell it by now, and at the end about its package.
    package var writeReport: (_ package: String?) throws -> Void = { _ in }

    package init(
      settings: TrainingSettings, model: any TrainingModel, data: Dataset, ledger: FLOPLedger,
      run: RunFolder, compute: Compute,
      writePackage: @escaping (String, TrainerProgress) throws -> Void
    ) {
      self.settings = settings
      self.model = model
      self.data = data
      self.ledger = ledger
      self.run = run
      self.compute = compute
      self.writePackage = writePackage
    }
  }

  /// What a run tells while it goes on.
  package enum Event {
    /// The run goes on after a step; nil where there was no checkpoint to go on from.
    case resumed(after: Int?, of: Int)
    case step(StepRecord, of: Int)
    case skipped(step: Int)
    case evaluated(EvaluationRecord)
    case saved(step: Int, path: String)
  }

  package let job: Job
  let settings: TrainingSettings
  let optimizer: Optimizer
  let report: (Event) -> Void
  let exchange: any GradientExchange
  private let buckets: GradientBuckets
  /// A signal that came while a checkpoint was written.
  var isStopPending = false
  let clock = ContinuousClock()
  /// When the last checkpoint was written, or the run began.
  var lastSave: ContinuousClock.Instant
  package private(set) var progress: TrainerProgress

  /// Steps without a finite gradient, one after another, that end a run.
  private static let patience = 20
  /// Steps between comparisons of the ranks' weights.
  private static let weightCheckEvery = 100

  /// - Parameter report: Is called by the first rank alone.
  package init(_ job: Job, report: @escaping (Event) -> Void) throws {
    self.job = job
    self.report = { if job.exchange.isFirst { report($0) } }
    settings = job.settings
    exchange = job.exchange
    try settings.checkDivides(among: exchange.worldSize)
    buckets = GradientBuckets(
      job.model.gradients,
      stages: GradientBuckets.stages(job.model.gradientStages, covering: job.model.tensors),
      over: exchange)
    optimizer = try Optimizer(settings.optimizer, tensors: job.model.tensors, on: job.compute)
    progress = TrainerProgress(cursor: job.data.startCursor)
    lastSave = clock.now
  }

  /// Goes back to the last checkpoint; to the start where the run died before its first.
  ///
  /// - Throws: `TrainingError(.finished)` for a run that has ended and left no checkpoint.
  package func resume() throws {
    guard let step = try job.run.checkpointSteps().last else {
      guard try pathKind(job.run.package) == nil, try pathKind(job.run.factors) == nil else {
        throw TrainingError(.finished, job.run.path)
      }
      if exchange.isFirst { try job.run.rewind(to: nil) }
      report(.resumed(after: nil, of: settings.steps))
      return
    }
    let file = job.run.checkpoint(step) + "/" + TrainerState.fileName
    progress = try TrainerState(
      from: file, model: job.model, optimizer: optimizer, identity: job.identity
    ).progress
    try job.model.parametersChanged()
    if exchange.isFirst { try rewind() }
    report(.resumed(after: progress.step, of: settings.steps))
  }

  /// Trains to the end and writes the package.
  package func run() throws {
    if exchange.isFirst { try requireSpace() }
    try requireFiniteWeights()
    let metrics = exchange.isFirst ? try AppendedFile(job.run.metrics) : nil
    try compareWeights()
    if progress.step == 0 { _ = try evaluate() }
    while progress.step < settings.steps {
      let record = try step()
      try metrics?.append(line: record.json.text())
      report(.step(record, of: settings.steps))
      if isDue(Self.weightCheckEvery) { try compareWeights() }
      let isLast = progress.step == settings.steps
      let isBest = isLast || isDue(settings.evaluation.every) ? try evaluate() : false
      let requests = try requests()
      if requests.stop {
        try save()
        throw stopped
      }
      let savesBest = isBest && settings.checkpoints.every > 0
      let saves =
        isLast
        ? settings.checkpoints.final
        : savesBest || isDue(settings.checkpoints.every) || requests.save
      if saves {
        try save()
        if try self.requests().stop { throw stopped }
      }
    }
    try compareWeights()
    if progress.skippedInARow > 0 { throw diverged }
    try requireFiniteWeights()
    if exchange.isFirst { try finishing(writeResult) }
  }

  private var diverged: TrainingError {
    TrainingError(.diverged(steps: progress.skippedInARow), job.run.path)
  }

  /// Throws before anything is written that nobody can use.
  func requireFiniteWeights() throws {
    let all = FloatRun(job.model.parameters, at: 0, count: job.model.parameters.floatCount)
    guard sumOfSquares(all, on: job.compute).isFinite else {
      throw TrainingError(.weightsNotFinite(step: progress.step), job.run.path)
    }
  }

  private func writeResult() throws {
    try job.writePackage(job.run.package, progress)
    try writeCurve()
    let hasPackage = try pathKind(job.run.package) == .folder
    try job.writeReport(hasPackage ? job.run.package : nil)
  }

  func writeCurve() throws {
    try job.run.write(job.run.chart().svg(), to: job.run.curve)
  }

  /// Does what a signal must not cut short, again if one did; gives whether one came.
  @discardableResult
  func finishing(_ work: () throws -> Void) throws -> Bool {
    do { try work() } catch let error as FileError where error.problem == .interrupted {
      _ = Interruption.acknowledge()
      try work()
      return true
    }
    return false
  }

  /// Whether any rank has received a signal, and whether the first finds that a checkpoint is due;
  /// all learn of it after the same step.
  private func requests() throws -> (stop: Bool, save: Bool) {
    if job.shouldStop() { isStopPending = true }
    let minutes = settings.checkpoints.minutes
    let isLate = minutes > 0 && (clock.now - lastSave) / .seconds(60) >= minutes
    let sums = try exchange.sum([isStopPending ? 1 : 0, isLate && exchange.isFirst ? 1 : 0])
    return (sums[0] > 0, sums[1] > 0)
  }

  private var stopped: TrainingError {
    TrainingError(.stopped(step: progress.step), job.run.path)
  }

  func compareWeights() throws {
    guard let rank = try exchange.dissenter(job.model.parameters) else { return }
    throw TrainingError(
      .otherWeights(
        rank: exchange.name(of: rank), first: exchange.name(of: 0), step: progress.step),
      job.run.path)
  }

  private func isDue(_ every: Int) -> Bool { every > 0 && progress.step % every == 0 }

  // MARK: A step

  private func step() throws -> StepRecord {
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

  // MARK: Beside the steps

  /// Measures the held-out loss; gives whether it is the best so far.
  private func evaluate() throws -> Bool {
    let rows = try job.data.heldOutRows(limit: settings.evaluation.rows)
    let recurrences: [Int?] = job.model.isRecurrent ? settings.evaluation.recurrences : [nil]
    if rows.isEmpty || recurrences.isEmpty { return false }
    var record = EvaluationRecord(step: progress.step, tokens: progress.tokens, results: [])
    let loss = HeldOutLoss(of: rows, settings, over: exchange)
    for recurrence in recurrences {
      let value = try loss.measured {
        try job.model.losses($0, recurrence: recurrence, stateSeed: settings.seed)
      }
      record.heldOutTokens = value.tokens
      record.results.append(
        .init(
          recurrence: recurrence, loss: value.mean, lossError: value.error,
          answers: try job.scoreAnswers?(recurrence)))
    }
    if exchange.isFirst {
      if progress.step == 0 { record.source = job.source }
      if progress.step == 0 || progress.step == settings.steps {
        record.samples = job.makeSamples()
      }
      try AppendedFile(job.run.evaluations).append(line: record.json.text())
      if progress.step > 0, try finishing({ try job.writeReport(nil) }) { isStopPending = true }
    }
    report(.evaluated(record))
    guard record.meanLoss < progress.bestLoss ?? .infinity else { return false }
    progress.bestLoss = record.meanLoss
    progress.bestStep = progress.step
    return true
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
