import ByteIO
import Kernels
import ModelGraph
import Tensors
import Training
import Transformer

/// Everything that a run needs, opened and checked before the run folder is touched.
struct TrainSession {
  private let trainer: Trainer
  private let run: RunFolder
  private let skippedRecords: Int
  private let hasColor: Bool

  init(
    model: OpenedModel, settings: TrainingSettings, run: RunFolder, saving: SaveChoices,
    workers: Workers, cache: TokenCache, meter: StepMeter
  ) throws {
    let context = model.graph.sizes.context
    guard settings.sequenceLength <= context else {
      throw UsageError(
        "sequences of \(settings.sequenceLength) tokens, the model's context has \(context)",
        hint: "lower --sequence-length")
    }
    var data = TrainingData(settings, for: model, cache: cache, meter: meter)
    let dataset = try data.dataset()
    let network = try NetworkTraining(model, settings, on: workers)
    let package = TrainedPackage(model: model, settings: settings)
    var job = Trainer.Job(
      settings: settings, model: network, data: dataset, ledger: FLOPLedger(network), run: run,
      workers: workers
    ) { folder, progress in
      let isResult = folder == run.package
      if isResult, !network.network.factors.isEmpty {
        try FactorFolder(network: network.network, settings: settings.lora).write(to: run.factors)
      }
      if saving.factorsOnly { return }
      // Checkpoints keep every bit; the result may be rounded.
      let type = isResult ? saving.saveDtype.elementType : .f32
      try package.write(network.source, to: folder, progress: progress, as: type)
    }
    job.identity = try model.identity().description
    job.writesPackage = !saving.factorsOnly
    trainer = try Trainer(job, report: meter.show)
    self.run = run
    skippedRecords = data.skipped
    hasColor = meter.hasColor
  }

  func train(resuming: Bool) throws -> TrainReport.Outcome {
    if resuming { try trainer.resume() }
    try trainer.run()
    return TrainReport.Outcome(
      run: run, progress: trainer.progress, steps: try run.steps(),
      evaluations: try run.evaluationRecords(), chart: try run.chart(),
      skippedRecords: skippedRecords, hasColor: hasColor)
  }
}
