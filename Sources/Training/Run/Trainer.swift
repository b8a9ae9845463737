import ByteIO
import JSON
package import Kernels
import Tensors

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
    package var workers: Workers
    package var exchange: any GradientExchange = SingleProcess()
    /// Whether the run should stop after this step; asking takes note of the signal.
    package var shouldStop: () -> Bool = Interruption.acknowledge
    /// Tells the model that the run starts from from others.
    package var identity = ""
    /// Whether `writePackage` writes all parameters, not only what was trained.
    package var writesPackage = true
    /// Writes the model as it is now to a folder that does not exist.
    package var writePackage: (_ folder: String, _ progress: TrainerProgress) throws -> Void

    package init(
      settings: TrainingSettings, model: any TrainingModel, data: Dataset, ledger: FLOPLedger,
      run: RunFolder, workers: Workers,
      writePackage: @escaping (String, TrainerProgress) throws -> Void
    ) {
      self.settings = settings
      self.model = model
      self.data = data
      self.ledger = ledger
      self.run = run
      self.workers = workers
      self.writePackage = writePackage
    }
  }

  /// What a run tells while it goes on.
  package enum Event {
    case step(StepRecord, of: Int)
    case skipped(step: Int)
    case evaluated(EvaluationRecord)
    case saved(step: Int, path: String)
  }

  package let job: Job
  private let settings: TrainingSettings
  private let optimizer: Optimizer
  private let report: (Event) -> Void
  package private(set) var progress: TrainerProgress

  /// Steps without a finite gradient, one after another, that end a run.
  private static let patience = 20

  package init(_ job: Job, report: @escaping (Event) -> Void) throws {
    self.job = job
    self.report = report
    settings = job.settings
    optimizer = try Optimizer(settings.optimizer, tensors: job.model.tensors, on: job.workers)
    progress = TrainerProgress(cursor: job.data.startCursor)
  }

  /// Goes back to the last checkpoint; to the start where the run died before its first.
  package func resume() throws {
    guard let step = job.run.checkpointSteps().last else { return try job.run.rewind(to: nil) }
    let file = job.run.checkpoint(step) + "/" + TrainerState.fileName
    progress = try TrainerState(
      from: file, model: job.model, optimizer: optimizer, identity: job.identity
    ).progress
    try job.model.parametersChanged()
    try job.run.rewind(to: progress.step)
  }

  /// Trains to the end and writes the package.
  package func run() throws {
    try requireSpace()
    let metrics = try AppendedFile(job.run.metrics)
    if progress.step == 0 { _ = try evaluate() }
    while progress.step < settings.steps {
      let record = try step()
      try metrics.append(line: record.json.text())
      report(.step(record, of: settings.steps))
      let isLast = progress.step == settings.steps
      let isBest = isLast || isDue(settings.evaluation.every) ? try evaluate() : false
      if job.shouldStop() {
        try save()
        throw TrainingError(.stopped(step: progress.step), job.run.path)
      }
      let savesBest = isBest && settings.checkpoints.every > 0
      if !isLast, savesBest || isDue(settings.checkpoints.every) { try save() }
    }
    try finishing(writeResult)
  }

  private func writeResult() throws {
    removeTree(job.run.package)
    try job.writePackage(job.run.package, progress)
    try job.run.write(job.run.chart().svg(), to: job.run.curve)
  }

  /// Does what a signal must not cut short, again if one did; gives whether one came.
  @discardableResult
  private func finishing(_ work: () throws -> Void) throws -> Bool {
    do { try work() } catch let error as FileError where error.problem == .interrupted {
      _ = Interruption.acknowledge()
      try work()
      return true
    }
    return false
  }

  private func isDue(_ every: Int) -> Bool { every > 0 && progress.step % every == 0 }

  // MARK: A step

  private func step() throws -> StepRecord {
    let clock = ContinuousClock()
    let start = clock.now
    let (mean, depth) = (
      settings.sampler.mean(at: progress.step, of: settings.steps),
      settings.recurrence.backpropDepth.value(at: progress.step, of: settings.steps)
    )
    let gradients = job.model.gradients
    clear(Matrix(gradients, rows: 1, columns: gradients.floatCount), on: job.workers)
    let micro = settings.effectiveMicroBatchSize
    let count = settings.batchSize / micro
    var (loss, passes, withGradient) = (MicroBatchLoss(0), 0, 0)
    for _ in 0..<count {
      let (part, draw) = try microBatch(size: micro)
      loss.add(part, share: 1 / Double(count))
      passes += draw.total
      withGradient += draw.withGradient
    }
    try job.exchange.sum(gradients)
    let share = 1 / Double(count * job.exchange.memberCount)
    let norm = optimizer.norm(of: gradients) * share
    let rate = settings.schedule.factor(at: progress.step, of: settings.steps)
    try update(norm: norm, loss: loss.crossEntropy, share: share, rate: rate)
    let tokens = settings.batchSize * settings.sequenceLength
    progress.step += 1
    progress.tokens += tokens
    progress.flops += job.ledger.paper(tokens: tokens, mean: mean, depth: depth)
    progress.fullFLOPs += job.ledger.perStep
    let seconds = (clock.now - start) / .seconds(1)
    progress.seconds += seconds
    return StepRecord(
      step: progress.step, tokens: progress.tokens, loss: loss.crossEntropy,
      divergence: loss.divergence, meanRecurrence: mean, recurrence: Double(passes) / Double(count),
      backpropDepth: Double(withGradient) / Double(count),
      learningRate: settings.optimizer.mainLearningRate * rate, gradientNorm: norm,
      tokensPerSecond: Double(tokens) / max(seconds, 1e-9), flops: progress.flops,
      fullFLOPs: progress.fullFLOPs, seconds: progress.seconds)
  }

  private func microBatch(size: Int) throws -> (loss: MicroBatchLoss, draw: RecurrenceDraw) {
    var rows: [[UInt32]] = []
    for _ in 0..<size { rows.append(try job.data.next(&progress.cursor)) }
    let draw =
      job.model.isRecurrent
      ? settings.sampler.draw(
        microBatch: progress.microBatches, step: progress.step, of: settings.steps)
      : RecurrenceDraw(withoutGradient: 0, withGradient: 1)
    let seed = RandomStream(seed: settings.seed, stream: Self.stateStream)
    let loss = try job.model.accumulate(
      TokenBatch(rows), draw, stateSeed: seed[UInt64(progress.microBatches)])
    progress.microBatches += 1
    progress.fullFLOPs += job.ledger.full(
      tokens: size * settings.sequenceLength, sequenceLength: settings.sequenceLength, draw)
    return (loss, draw)
  }

  private static let stateStream: UInt64 = 0x7374_6174_6500_0000  // "state"

  private func update(norm: Double, loss: Double, share: Double, rate: Double) throws {
    guard norm.isFinite, loss.isFinite else {
      progress.skipped += 1
      progress.skippedInARow += 1
      report(.skipped(step: progress.step + 1))
      guard progress.skippedInARow < Self.patience else {
        throw TrainingError(.diverged(steps: progress.skippedInARow), job.run.path)
      }
      return
    }
    progress.skippedInARow = 0
    let clip = settings.optimizer.clip
    let factor = clip > 0 ? min(1, clip / (norm + 1e-6)) : 1
    optimizer.step(
      parameters: job.model.parameters, gradients: job.model.gradients,
      gradientScale: share * factor, rate: rate)
    progress.updates = optimizer.stepCount
    try job.model.parametersChanged()
  }

  // MARK: Beside the steps

  /// Measures the held-out loss; gives whether it is the best so far.
  private func evaluate() throws -> Bool {
    let rows = try job.data.heldOutRows(limit: settings.evaluation.rows)
    let recurrences: [Int?] = job.model.isRecurrent ? settings.evaluation.recurrences : [nil]
    if rows.isEmpty || recurrences.isEmpty { return false }
    var results: [EvaluationRecord.Result] = []
    for recurrence in recurrences {
      results.append(.init(recurrence: recurrence, loss: try heldOutLoss(rows, recurrence)))
    }
    let record = EvaluationRecord(
      step: progress.step, tokens: progress.tokens, results: results)
    try AppendedFile(job.run.evaluations).append(line: record.json.text())
    report(.evaluated(record))
    guard record.meanLoss < progress.bestLoss ?? .infinity else { return false }
    progress.bestLoss = record.meanLoss
    progress.bestStep = progress.step
    return true
  }

  /// Mean over the labels of all rows.
  private func heldOutLoss(_ rows: [[UInt32]], _ recurrence: Int?) throws -> Double {
    var (sum, count) = (0.0, 0)
    for start in stride(from: 0, to: rows.count, by: settings.microBatchSize) {
      let batch = TokenBatch(Array(rows[start..<min(start + settings.microBatchSize, rows.count)]))
      if batch.targetCount == 0 { continue }
      sum +=
        try job.model.loss(batch, recurrence: recurrence, stateSeed: settings.seed)
        * Double(batch.targetCount)
      count += batch.targetCount
    }
    return count == 0 ? .nan : sum / Double(count)
  }

  /// Writes a checkpoint; a signal that comes meanwhile waits for it.
  private func save() throws {
    if try finishing(saveOnce) {
      throw TrainingError(.stopped(step: progress.step), job.run.path)
    }
  }

  /// Refuses to start a run whose checkpoints and result the disk has no room for.
  private func requireSpace() throws {
    let package = job.writesPackage ? job.model.parameters.byteCount : 0
    // One more than is kept stands while the next is written, and the best beside it.
    let kept = settings.checkpoints.every > 0 ? settings.checkpoints.keep + 2 : 1
    let checkpoints = max(0, kept - job.run.checkpointSteps().count)
    try requireFreeSpace(checkpoints * (stateSize + package) + package, in: job.run.path)
  }

  /// Bytes of the trainer's state.
  private var stateSize: Int {
    job.model.gradients.byteCount + optimizer.first.byteCount + optimizer.second.byteCount
  }

  private func saveOnce() throws {
    let step = progress.step
    let staged = try StagedOutput(
      at: job.run.checkpoint(step), isFolder: true, force: true, inputs: [],
      needed: stateSize + (job.writesPackage ? job.model.parameters.byteCount : 0))
    try TrainerState(progress: progress).write(
      model: job.model, optimizer: optimizer, identity: job.identity,
      to: staged.path(TrainerState.fileName))
    try job.writePackage(staged.path("package"), progress)
    try staged.publish()
    job.run.prune(keeping: settings.checkpoints.keep, best: progress.bestStep)
    report(.saved(step: step, path: job.run.checkpoint(step)))
  }
}

extension TrainingSettings {
  /// The largest divisor of the batch size that is not above the micro-batch size.
  package var effectiveMicroBatchSize: Int {
    (1...max(1, min(microBatchSize, batchSize))).last { batchSize % $0 == 0 } ?? 1
  }
}
