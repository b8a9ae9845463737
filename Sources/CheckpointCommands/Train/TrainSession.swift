import ByteIO
import Kernels
import ModelGraph
import Tensors
import Training

/// Everything that a run needs, opened and checked before the run folder is touched.
struct TrainSession {
  private let trainer: Trainer
  private let run: RunFolder
  private let skippedRecords: Int
  private let hasColor: Bool

  init(
    model: OpenedModel, settings: TrainingSettings, run: RunFolder, saveType: ElementType,
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
    let network = try NetworkTraining(model, mode: settings.mode, on: workers)
    let package = TrainedPackage(model: model, settings: settings)
    let job = Trainer.Job(
      settings: settings, model: network, data: dataset, ledger: FLOPLedger(model.graph), run: run,
      workers: workers
    ) { folder, progress in
      // Checkpoints keep every bit; the result may be rounded.
      let type = folder == run.package ? saveType : .f32
      try package.write(network.source, to: folder, progress: progress, as: type)
    }
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
