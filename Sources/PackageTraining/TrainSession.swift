import ByteIO
package import Kernels
import ModelGraph
package import Models
import Scoring
package import Tensors
package import Training
import Transformer

/// Everything that a run needs, opened and checked before the run folder is touched.
package struct TrainSession {
  /// What of the trained model is written.
  package struct Saving {
    /// Type of the trained package's tensors.
    package var type: ElementType
    /// Whether the factors are all that is written, in mode lora.
    package var factorsOnly: Bool

    package init(type: ElementType, factorsOnly: Bool) {
      self.type = type
      self.factorsOnly = factorsOnly
    }
  }

  /// As they were given, with the steps that FLOPs were turned into.
  package let settings: TrainingSettings
  private let trainer: Trainer
  private let run: RunFolder
  private let skippedRecords: Int
  private let streams: [StreamedRows]
  private let warnings: [Warning]
  private let exchange: any GradientExchange
  /// Of the trained model; nil when it is not recurrent.
  private let recurrence: Int?
  private let plan: ActivationPlan
  private let byteCount: Int

  /// - Parameters:
  ///   - source: What the model was made from, to be measured on the held-out rows; nil for none.
  ///   - flops: What the run may cost; nil for as many steps as the settings say.
  ///   - report: Writes the page about a run, and about its package at the end.
  package init(
    model: OpenedModel, source: OpenedModel? = nil, settings: TrainingSettings,
    flops: Double? = nil, run: RunFolder,
    saving: Saving, compute: Compute, cache: TokenCache, observer: any RunObserver,
    exchange: any GradientExchange,
    report: @escaping (_ run: RunFolder, _ package: String?) throws -> Void = { _, _ in }
  ) throws {
    self.exchange = exchange
    try exchange.together {
      try settings.checkDivides(among: exchange.worldSize)
      try Self.check(settings, model)
    }
    var data = TrainingData(settings, for: model, cache: cache, observer: observer)
    let dataset = try exchange.inTurn { try data.dataset() }
    try exchange.together {
      try dataset.requireLearned(
        heldOutRows: settings.evaluation.recurrences.isEmpty ? 0 : settings.evaluation.rows)
    }
    let questions = try exchange.together { try Self.questions(of: data, beside: dataset) }
    // The first rank alone writes them down.
    let samples = try exchange.together {
      exchange.isFirst ? try RunSamples(dataset, for: model, seed: settings.seed) : nil
    }
    // Before the buffers of training are there: the two are not in memory together.
    let measured = try source.map {
      try SourceLoss(of: $0, beside: model).measured(
        dataset, settings, samples, over: exchange, on: compute)
    }
    let network = try exchange.together { try NetworkTraining(model, settings, on: compute) }
    observer.show(network.plan, byteCount: network.byteCount)
    let ledger = FLOPLedger(network)
    var settings = settings
    if let flops {
      settings.steps = try exchange.together {
        try settings.steps(within: flops, ledger, isRecurrent: network.isRecurrent)
      }
    }
    self.settings = settings
    let trained = settings
    let package = try exchange.together { try TrainedPackage(model: model, settings: trained) }
    recurrence = model.graph.recurrence == nil ? nil : package.recurrence
    var job = Trainer.Job(
      settings: settings, model: network, data: dataset, ledger: ledger, run: run,
      compute: compute
    ) { folder, progress in
      let isResult = folder == run.package
      if isResult, !network.network.factors.isEmpty {
        try FactorFolder(network: network.network, settings: settings.lora).write(to: run.factors)
      }
      if saving.factorsOnly { return }
      // Checkpoints keep every bit; the result may be rounded.
      let type = isResult ? saving.type : .f32
      try package.write(network.source, to: folder, progress: progress, as: type)
    }
    job.identity = try exchange.together { try model.identity().description }
    job.writesPackage = !saving.factorsOnly
    job.exchange = exchange
    if let questions {
      let evaluation = AnswerEvaluation(
        questions: questions, network: network.network, seed: settings.seed, exchange: exchange)
      job.scoreAnswers = evaluation.answers
    }
    job.source = measured
    if let samples {
      let current = try Model(network.network)
      let recurrence = network.isRecurrent ? settings.recurrence.final : nil
      job.makeSamples = { samples.samples(of: current, recurrence: recurrence) }
    }
    job.writeReport = { try report(run, $0) }
    trainer = try exchange.together { try Trainer(job, report: observer.show) }
    self.run = run
    plan = network.plan
    byteCount = network.byteCount
    skippedRecords = data.skipped
    streams = dataset.sources.compactMap { $0.rows as? StreamedRows }
    warnings = data.warnings + package.warnings
  }

  private static func questions(
    of data: TrainingData, beside dataset: Dataset
  ) throws -> DocumentScoring? {
    let evaluation = data.settings.evaluation
    if evaluation.questions.isEmpty { return nil }
    let isEvaluated = data.model.graph.recurrence == nil || !evaluation.recurrences.isEmpty
    guard isEvaluated, try !dataset.heldOutRows(limit: 1).isEmpty else {
      throw TrainingError(
        .badSetting(
          key: "evaluation.questions", value: evaluation.questions,
          allowed: "a file, where data.held_out and evaluation.recurrences leave rows to evaluate"))
    }
    return try data.questions()
  }

  private static func check(_ settings: TrainingSettings, _ model: OpenedModel) throws {
    // Every rank reads all rows of a step; both factors are bounded, so the product is.
    guard settings.batchSize * settings.sequenceLength <= 1 << 28 else {
      throw UsageError(
        "\(settings.batchSize) sequences of \(settings.sequenceLength) tokens per step are too many",
        hint: "a step has 268435456 tokens at most; lower --batch-size")
    }
    let context = model.graph.contextLimit
    guard settings.sequenceLength <= context else {
      throw UsageError(
        "sequences of \(settings.sequenceLength) tokens, but the model's context has \(context)",
        hint: "lower --sequence-length")
    }
  }

  /// Trains; what came out is for the first rank of a group to tell.
  package func train(resuming: Bool) throws -> TrainingOutcome? {
    if resuming { try exchange.together { try trainer.resume() } }
    try trainer.run()
    guard exchange.isFirst else { return nil }
    let written = try [run.package, run.factors, run.curve, run.report].filter {
      try pathKind($0) != nil
    }
    return TrainingOutcome(
      run: run, written: Set(written), progress: trainer.progress,
      recurrence: recurrence, steps: try run.steps(),
      evaluations: try run.evaluationRecords(), chart: try run.chart(),
      skippedRecords: streams.reduce(skippedRecords) { $0 + $1.skipped }, warnings: warnings,
      plan: plan, byteCount: byteCount)
  }
}
