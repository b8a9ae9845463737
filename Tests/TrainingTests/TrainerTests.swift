import ByteIO
import Foundation
import JSON
import Kernels
import Tensors
import TestSupport
import Testing
import Transformer

@testable import Training

@Suite("Trainer", .serialized)
struct TrainerTests {
  private let folder = TemporaryFolder()

  private static func settings(steps: Int = 30) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.steps = steps
    settings.batchSize = 4
    settings.microBatchSize = 2
    settings.sequenceLength = 15
    settings.optimizer = OptimizerSettings(.muon)
    settings.optimizer.muon.learningRate = 0.1
    settings.evaluation.every = 10
    settings.evaluation.recurrences = [1, 4]
    settings.checkpoints.every = 7
    return settings
  }

  private func trainer(
    _ name: String, _ settings: TrainingSettings, model: ToyModel,
    writePackage: @escaping (String, TrainerProgress) throws -> Void = { path, _ in
      try createFolders(path)
    }, stopAfter: Int? = nil
  ) throws -> Trainer {
    let data = try Dataset(
      stored: [(LetterStream(), 1)], sequenceLength: settings.sequenceLength, heldOut: 0.1,
      seed: settings.seed, vocabulary: model.vocabulary)
    let run = RunFolder(folder.file(name))
    if try pathKind(run.path) == nil {
      try run.create(force: false)
      try run.write("steps: 1\n", to: run.recipe)
    }
    let ledger = FLOPLedger(
      prelude: 1, core: 2, coda: 1, adapter: 1, head: 1, attention: 1, preludeBlocks: 1,
      coreBlocks: 1, codaBlocks: 1)
    var job = Trainer.Job(
      settings: settings, model: model, data: data, ledger: ledger, run: run,
      compute: try Compute(1), writePackage: writePackage)
    var last = 0
    job.shouldStop = { last == stopAfter }
    return try Trainer(job) { if case .step(let record, _) = $0 { last = record.step } }
  }

  /// What must not depend on interruptions: everything but the clock.
  private static func comparable(_ records: [StepRecord]) -> [StepRecord] {
    records.map {
      var record = $0
      record.seconds = 0
      record.tokensPerSecond = 0
      record.memory = nil
      return record
    }
  }

  @Test("learns, logs every step, and leaves a package and a curve")
  func learns() throws {
    let model = try ToyModel(vocabulary: 12)
    let trainer = try trainer("run", Self.settings(), model: model)
    try trainer.run()
    let run = trainer.job.run
    let steps = try run.steps()
    #expect(steps.map(\.step) == Array(1...30))
    #expect(steps[29].tokens == 30 * 60)
    #expect(steps[29].loss < 0.7 * steps[0].loss)
    let evaluations = try run.evaluationRecords()
    #expect(evaluations.map(\.step) == [0, 10, 20, 30])
    #expect(evaluations[3].meanLoss < 0.7 * evaluations[0].meanLoss)
    #expect(try pathKind(run.package) == .folder)
    #expect(try pathKind(run.curve) == .file)
    let line = try #require(
      String(decoding: ByteRegion(path: run.metrics).contents(limit: 1 << 20), as: UTF8.self)
        .split(separator: "\n").first)
    let keys = try JSONValue(parsing: Array(line.utf8)).object?.members.map(\.key)
    #expect(
      keys == [
        "step", "tokens", "loss", "mean_recurrence", "recurrence", "backprop_depth", "lr",
        "grad_norm", "tokens_per_second", "flops", "flops_full", "seconds",
        "memory_bytes",
      ])
  }

  @Test(
    "a run stopped by a signal and resumed has the same losses, bit for bit",
    arguments: [1, 6, 13])
  func resumes(stop: Int) throws {
    let whole = try trainer("whole", Self.settings(), model: ToyModel(vocabulary: 12))
    try whole.run()
    let stopped = try trainer(
      "parts", Self.settings(), model: ToyModel(vocabulary: 12), stopAfter: stop)
    #expect(throws: TrainingError(.stopped(step: stop), stopped.job.run.path)) {
      try stopped.run()
    }
    #expect(try pathKind(stopped.job.run.curve) == .file)
    let resumed = try trainer("parts", Self.settings(), model: ToyModel(vocabulary: 12))
    try resumed.resume()
    #expect(resumed.progress.step == stop)
    try resumed.run()
    let (a, b) = (whole.job, resumed.job)
    #expect(Self.comparable(try a.run.steps()) == Self.comparable(try b.run.steps()))
    #expect(try a.run.evaluationRecords() == b.run.evaluationRecords())
    #expect(
      a.model.parameters.floats(0..<144).map(\.bitPattern)
        == b.model.parameters.floats(0..<144).map(\.bitPattern))
  }

  @Test("a run that died between checkpoints goes on from the last one")
  func killed() throws {
    struct Died: Error {}
    var count = 0
    let dying = try trainer("run", Self.settings(), model: ToyModel(vocabulary: 12)) { path, _ in
      count += 1
      try createFolders(path)
      if count == 3 { throw Died() }  // a full disk, in the middle of the checkpoint of step 14
    }
    #expect(throws: Died.self) { try dying.run() }
    let run = dying.job.run
    #expect(try run.checkpointSteps() == [7, 10])
    // What a process that was killed may leave: outputs in the making, a checkpoint to be removed.
    for trash in [
      "checkpoints/.step-14.ckpt-0123456789abcdef.partial",
      ".recipe.yaml.ckpt-0123456789abcdef.partial",
      "checkpoints/step-4",
    ] {
      try folder.write([1], to: "run/\(trash)/trash")
      try folder.write([], to: "run/\(trash)/lock")
    }
    try folder.write([1], to: "run/.of-the-user.partial")
    let resumed = try trainer("run", Self.settings(), model: ToyModel(vocabulary: 12))
    try resumed.resume()
    #expect(try run.steps().map(\.step) == Array(1...10))
    #expect(try folderEntries(run.checkpoints) == ["step-10", "step-7"])
    #expect(
      try folderEntries(run.path).filter { $0.hasSuffix(".partial") } == [".of-the-user.partial"])
    try resumed.run()
    let whole = try trainer("whole", Self.settings(), model: ToyModel(vocabulary: 12))
    try whole.run()
    #expect(Self.comparable(try whole.job.run.steps()) == Self.comparable(try run.steps()))
  }

  @Test("a run that died before its first checkpoint starts again")
  func killedEarly() throws {
    let dying = try trainer("run", Self.settings(), model: ToyModel(vocabulary: 12), stopAfter: 3)
    #expect(throws: TrainingError.self) { try dying.run() }
    try removeTree(dying.job.run.checkpoint(3))
    let resumed = try trainer("run", Self.settings(), model: ToyModel(vocabulary: 12))
    try resumed.resume()
    #expect(try resumed.job.run.steps().isEmpty)
    try resumed.run()
    let whole = try trainer("whole", Self.settings(), model: ToyModel(vocabulary: 12))
    try whole.run()
    #expect(
      Self.comparable(try whole.job.run.steps()) == Self.comparable(try resumed.job.run.steps()))
    #expect(try whole.job.run.evaluationRecords() == resumed.job.run.evaluationRecords())
  }

  @Test("keeps the last checkpoints, and the best")
  func prunes() throws {
    var settings = Self.settings()
    settings.checkpoints.keep = 1
    settings.evaluation.every = 0
    let trainer = try trainer("run", settings, model: ToyModel(vocabulary: 12))
    try trainer.run()
    #expect(try trainer.job.run.checkpointSteps() == [30])
    settings.checkpoints.final = false
    let other = try self.trainer("other", settings, model: ToyModel(vocabulary: 12))
    try other.run()
    #expect(try other.job.run.checkpointSteps() == [28])
  }

  @Test("writes a checkpoint when time has passed, and keeps the last alone")
  func timed() throws {
    var settings = Self.settings(steps: 5)
    settings.checkpoints.every = 0
    settings.checkpoints.final = false
    settings.checkpoints.minutes = 1e-9
    var written: [String] = []
    let timed = try trainer("run", settings, model: ToyModel(vocabulary: 12)) { path, _ in
      written.append(path)
      try createFolders(path)
    }
    try timed.run()
    #expect(written.count == 5, "four checkpoints and the result: \(written)")
    #expect(try timed.job.run.checkpointSteps() == [4])
    settings.checkpoints.minutes = 0
    let never = try trainer("never", settings, model: ToyModel(vocabulary: 12))
    try never.run()
    #expect(try never.job.run.checkpointSteps().isEmpty)
  }

  @Test("steps whose gradient is not finite are skipped and counted")
  func skips() throws {
    let model = try ToyModel(vocabulary: 12)
    model.badCalls = [5, 6, 9]
    let trainer = try trainer("run", Self.settings(), model: model)
    try trainer.run()
    #expect(trainer.progress.skipped == 2)
    #expect(trainer.progress.updates == 28)
    #expect(try trainer.job.run.steps()[2].gradientNorm.isNaN)
    let diverging = try ToyModel(vocabulary: 12)
    diverging.badCalls = Set(1...1000)
    let bad = try self.trainer("bad", Self.settings(), model: diverging)
    #expect(throws: TrainingError(.diverged(steps: 20), bad.job.run.path)) { try bad.run() }
  }

  @Test("RF-3: a broken or foreign state is refused with its reason")
  func brokenState() throws {
    let trainer = try trainer("run", Self.settings(steps: 8), model: ToyModel(vocabulary: 12))
    try trainer.run()
    let other = try self.trainer("run", Self.settings(steps: 8), model: ToyModel(vocabulary: 13))
    #expect(throws: TrainingError.self) { try other.resume() }
  }

  @Test("RF-1: a broken log is an error, a line that a crash cut off is not")
  func brokenLog() throws {
    let run = RunFolder(folder.file("log"))
    let good =
      #"{"step":1,"tokens":4,"loss":2.5,"mean_recurrence":1,"recurrence":1,"#
      + #""backprop_depth":1,"lr":0.1,"grad_norm":"NaN","tokens_per_second":1,"flops":1,"#
      + #""seconds":1}"# + "\n"
    try folder.write(Array((good + #"{"step":2,"tok"#).utf8), to: "log/metrics.jsonl")
    #expect(try run.steps().map(\.step) == [1])
    for line in ["{}\n", "nonsense\n"] {
      try folder.write(Array((good + line).utf8), to: "log/metrics.jsonl")
      #expect(throws: TrainingError(.brokenMetrics(line: 2), run.metrics)) { try run.steps() }
    }
  }

  @Test("a folder that is no run is never removed")
  func foreignFolder() throws {
    let path = folder.file("precious")
    try folder.write([1], to: "precious/data")
    #expect(throws: FileError(path, .exists)) { try RunFolder(path).create(force: true) }
    #expect(try pathKind(path + "/data") == .file)
  }

  @Test("the ledger counts the paper's formula and everything")
  func ledger() {
    let ledger = FLOPLedger(
      prelude: 100, core: 200, coda: 50, adapter: 10, head: 1000, attention: 4,
      preludeBlocks: 1, coreBlocks: 2, codaBlocks: 1)
    #expect(ledger.paper(tokens: 10, mean: 16, depth: 8) == 10 * (6 * (150 + 1600) + 2 * 1600))
    let draw = RecurrenceDraw(withoutGradient: 1, withGradient: 2)
    // A token of a sequence of 5 sees 3 on average: 12 multiply-adds a block.
    let pass = 210.0 + 24
    #expect(
      ledger.full(tokens: 10, sequenceLength: 5, draw)
        == 10 * (6 * (1150 + 24 + pass * 2) + 2 * pass))
  }
  @Test("the full count leaves out what is not trained, and holds factors and a teacher")
  func ledgerOfModes() {
    var ledger = FLOPLedger(
      prelude: 100, core: 200, coda: 50, adapter: 10, head: 1000, attention: 4,
      preludeBlocks: 1, coreBlocks: 2, codaBlocks: 1)
    var trained = FLOPLedger.Trained()
    trained.core.factors = 7
    trained.adapter = 10
    trained.reachesPrelude = false
    trained.merging = 300
    ledger.trained = trained
    ledger.teacher.parameters = 5000
    ledger.teacher.attention = 40
    // A token of a sequence of 5 sees 3 on average: 12 multiply-adds a block, twice that backwards.
    let forward = 100.0 + 50 + 1000 + 24 + 3 * (210 + 24)
    let back = 50.0 + 1000 + 24 + 2 * (210 + 48)
    let weights = 2.0 * (2 * 7 + 10)
    let taught = 5000.0 + 40 * 3
    let draw = RecurrenceDraw(withoutGradient: 1, withGradient: 2)
    #expect(
      ledger.full(tokens: 10, sequenceLength: 5, draw)
        == 2 * 10 * (forward + back + weights + taught))
    #expect(ledger.perStep == 600)
  }

  @Test("the full count has coda and head once more for each shallower state with a loss")
  func ledgerOfSupervision() {
    var ledger = FLOPLedger(
      prelude: 100, core: 200, coda: 50, adapter: 10, head: 1000, attention: 4,
      preludeBlocks: 1, coreBlocks: 2, codaBlocks: 1)
    let draw = RecurrenceDraw(withoutGradient: 1, withGradient: 4)
    func full() -> Double { ledger.full(tokens: 10, sequenceLength: 5, draw) }
    let plain = full()
    ledger.supervision = DeepSupervision(depths: 2)
    // Forward, backward and the weights' own: 3 products; attention forward once, backward twice.
    #expect(full() == plain + 2 * 10 * 2 * (3 * (50 + 1000) + 3 * 12))
    ledger.supervision.distillation = 0.5
    #expect(
      full() == plain + 2 * 10 * (2 * (3 * (50 + 1000) + 3 * 12) + 50 + 12 + 2 * 1000))
  }
}
