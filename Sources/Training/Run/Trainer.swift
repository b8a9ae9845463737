import ByteIO
import Charts
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
  let buckets: GradientBuckets
  /// A signal that came while a checkpoint was written.
  var isStopPending = false
  let clock = ContinuousClock()
  /// When the last checkpoint was written, or the run began.
  var lastSave: ContinuousClock.Instant
  package internal(set) var progress: TrainerProgress

  /// Steps without a finite gradient, one after another, that end a run.
  static let patience = 20
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

  var diverged: TrainingError {
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
