import ByteIO
import Kernels
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite("Training by several processes")
struct ExchangeTests {
  private let folder = TemporaryFolder()

  /// Sums of the same floats in another order.
  private static let tolerance = 1e-6

  private static func settings() -> TrainingSettings {
    var settings = TrainingSettings()
    settings.steps = 12
    settings.batchSize = 8
    settings.microBatchSize = 2
    settings.sequenceLength = 15
    settings.optimizer = OptimizerSettings(.muon)
    settings.evaluation.every = 4
    settings.evaluation.recurrences = [1, 4]
    settings.checkpoints.every = 5
    return settings
  }

  /// Trains in the run folder `name` with so many ranks; gives their errors.
  private func train(
    _ name: String, ranks: Int, settings: TrainingSettings = Self.settings(),
    resuming: Bool = false, change: @escaping @Sendable (Int, ToyModel) -> Void = { _, _ in },
    signal: @escaping @Sendable (_ rank: Int, _ step: Int) -> Bool = { _, _ in false }
  ) throws -> [(any Error)?] {
    let run = RunFolder(folder.file(name))
    if !resuming {
      try run.create(force: false)
      try run.write("steps: 1\n", to: run.recipe)
    }
    return ThreadGroup.run(ranks) { exchange in
      let model = try ToyModel(vocabulary: 12)
      change(exchange.rank, model)
      let data = try Dataset(
        stored: [(LetterStream(), 1)], sequenceLength: settings.sequenceLength, heldOut: 0.1,
        seed: settings.seed, vocabulary: model.vocabulary)
      var job = Trainer.Job(
        settings: settings, model: model, data: data,
        ledger: FLOPLedger(
          prelude: 1, core: 2, coda: 1, adapter: 1, head: 1, attention: 1, preludeBlocks: 1,
          coreBlocks: 1, codaBlocks: 1),
        run: run, compute: try Compute(1)
      ) { path, _ in
        #expect(exchange.isFirst)
        try createFolders(path)
      }
      job.exchange = exchange
      var trainer: Trainer?
      job.shouldStop = { signal(exchange.rank, trainer?.progress.step ?? 0) }
      trainer = try Trainer(job) { _ in #expect(exchange.isFirst) }
      if resuming { try trainer?.resume() }
      try trainer?.run()
    }
  }

  private func expectSameLosses(_ a: String, _ b: String) throws {
    let (a, b) = (RunFolder(folder.file(a)), RunFolder(folder.file(b)))
    for (x, y) in zip(try a.steps(), try b.steps()) {
      #expect(abs(x.loss - y.loss) < Self.tolerance, "step \(x.step)")
      #expect(abs(x.gradientNorm - y.gradientNorm) < Self.tolerance * x.gradientNorm)
      #expect(
        [x.recurrence, x.backpropDepth, x.flops, x.fullFLOPs, Double(x.tokens)]
          == [y.recurrence, y.backpropDepth, y.flops, y.fullFLOPs, Double(y.tokens)])
    }
    #expect(try a.steps().map(\.step) == b.steps().map(\.step))
    for (x, y) in zip(try a.evaluationRecords(), try b.evaluationRecords()) {
      #expect(x.step == y.step && abs(x.meanLoss - y.meanLoss) < Self.tolerance)
    }
  }

  @Test("the losses are those of one process with the same batch", arguments: [2, 4])
  func sameLosses(ranks: Int) throws {
    #expect(try train("one", ranks: 1).allSatisfy { $0 == nil })
    #expect(try train("many", ranks: ranks).allSatisfy { $0 == nil })
    try expectSameLosses("one", "many")
    let first = try #require(try RunFolder(folder.file("many")).steps().first)
    let exchange = try #require(first.exchange)
    #expect(exchange.waited >= 0)
    // The ranks of the test take a second for every finish.
    #expect(exchange.active == 1)
    #expect(try RunFolder(folder.file("one")).steps().first?.exchange == nil)
  }

  @Test("a signal to one rank stops all after the same step; any number of them goes on")
  func stops() throws {
    #expect(try train("one", ranks: 1).allSatisfy { $0 == nil })
    let errors = try train("parts", ranks: 4, signal: { $0 == 2 && $1 == 6 })
    let run = RunFolder(folder.file("parts"))
    let stopped = TrainingError(.stopped(step: 6), run.path)
    #expect(errors.map { $0 as? TrainingError } == Array(repeating: stopped, count: 4))
    #expect(try run.checkpointSteps().last == 6)
    let later = try train("parts", ranks: 2, resuming: true, signal: { $0 == 0 && $1 == 9 })
    #expect(later.allSatisfy { $0 as? TrainingError == TrainingError(.stopped(step: 9), run.path) })
    #expect(try train("parts", ranks: 1, resuming: true).allSatisfy { $0 == nil })
    try expectSameLosses("one", "parts")
  }

  @Test("ranks whose weights differ end the run by name")
  func otherWeights() throws {
    let errors = try train(
      "run", ranks: 3, settings: Self.thirds(),
      change: { rank, model in if rank == 2 { model.parameters[5] = 1e-7 } })
    let want = TrainingError(
      .otherWeights(rank: "rank 2 on thread", first: "rank 0 on thread", step: 0),
      folder.file("run"))
    #expect(errors.map { $0 as? TrainingError } == [want, want, want])
  }

  private static func thirds() -> TrainingSettings {
    var settings = settings()
    settings.batchSize = 6
    return settings
  }

  @Test("a number of ranks that does not divide the micro-batches is refused with those that do")
  func uneven() throws {
    let errors = try train("run", ranks: 3)
    let error = try #require(errors[1] as? TrainingError)
    #expect(error.problem == .unevenShares(ranks: 3, batchSize: 8, microBatchSize: 2))
    #expect(error.kind == .usage)
    #expect(error.hint == "use a number of processes that divides them evenly: 1, 2, 4")
    var settings = Self.settings()
    settings.microBatchSize = 4
    #expect(throws: TrainingError(.unevenShares(ranks: 4, batchSize: 8, microBatchSize: 4))) {
      try settings.checkDivides(among: 4)
    }
  }

  @Test("the longest micro-batches go first, each to the rank with the least to do")
  func shares() {
    // By hand: 9 → rank 0, 8 → 1, 7 → 1 would overfill neither; 1 has 8, 0 has 9.
    #expect(MicroBatchShares(costs: [3, 9, 7, 8], ranks: 2).perRank == [[0, 1], [2, 3]])
    #expect(MicroBatchShares(costs: [5, 5, 5, 5], ranks: 2).perRank == [[0, 2], [1, 3]])
    #expect(MicroBatchShares(costs: [1, 2, 3], ranks: 1).perRank == [[0, 1, 2]])
    #expect(MicroBatchShares(costs: [1, 2, 3], ranks: 3).perRank == [[2], [1], [0]])
  }

  @Test("buckets leave in order, when all they wait for is complete, and cover every stage once")
  func buckets() throws {
    let gradients = try Buffer(floats: 400)
    let errors = ThreadGroup.run(1) { exchange in
      // Floats 388 and 389 are padding between neighbours; 200 to 299 belong to no stage.
      let buckets = GradientBuckets(
        gradients, stages: [[390..<400], [300..<388], [100..<200], [0..<90]], over: exchange,
        least: 50, most: 70)
      buckets.complete(0)
      #expect(exchange.history.isEmpty)
      buckets.complete(1)
      #expect(exchange.history == [300..<370, 370..<400])
      try buckets.finish()
      let rest = [100..<170, 170..<200, 0..<70, 70..<90]
      #expect(exchange.history == [300..<370, 370..<400] + rest)
      buckets.complete(3)
      #expect(exchange.history.count == 12)
      try buckets.finish()
      #expect(exchange.history.count == 12)
    }
    #expect(errors[0] == nil)
  }

  @Test("a tensor that is in no stage is exchanged too, after all others")
  func coverage() {
    let tensors = [(0, 4), (4, 4), (20, 2)].map { offset, count in
      TrainedTensor(name: "", shape: [count], offset: offset, isBodyMatrix: false)
    }
    #expect(
      GradientBuckets.stages([[4..<8], [20..<22]], covering: tensors)
        == [[4..<8], [20..<22], [0..<4]])
    #expect(GradientBuckets.stages([[0..<22]], covering: tensors) == [[0..<22]])
  }
}
