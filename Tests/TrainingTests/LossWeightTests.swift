import ByteIO
import Foundation
import Kernels
import Tensors
import TestSupport
import Testing

@testable import Training

/// Letters of which most rows learn little and few learn all, as prompts and answers do.
private struct MaskedStream: TokenStream {
  var path = "masked"
  var count = 4000
  /// Share of a row's tokens, from its end on, that are learned: of the row's number.
  var learned: @Sendable (_ row: Int) -> Double = { [0, 0.1, 1, 0.4, 0][$0 % 5] }
  static let width = 16

  func read(at start: Int, into tokens: inout [UInt32]) throws {
    for i in tokens.indices {
      let (row, place) = (start + i).quotientAndRemainder(dividingBy: Self.width)
      let isLearned = Double(Self.width - place) <= learned(row) * Double(Self.width)
      tokens[i] = UInt32((start + i) * (row % 3 + 1) % 12) | (isLearned ? 0 : TokenMark.notLearned)
    }
  }
}

@Suite("The weight of a token in loss and gradient")
struct LossWeightTests {
  private let folder = TemporaryFolder()

  private static func settings(micro: Int, steps: Int = 5) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.steps = steps
    settings.batchSize = 8
    settings.microBatchSize = micro
    settings.sequenceLength = MaskedStream.width - 1
    settings.optimizer = OptimizerSettings(.adamw)
    settings.optimizer.adam.learningRate = 0.01
    settings.optimizer.clip = 0
    settings.evaluation.every = 0
    settings.checkpoints.every = 0
    return settings
  }

  private static func model() throws -> ToyModel {
    let model = try ToyModel(vocabulary: 12)
    model.dependsOnDraw = false
    for i in 0..<144 { model.parameters[i] = sin(Float(i)) }
    return model
  }

  private func train(
    _ name: String, _ settings: TrainingSettings, ranks: Int = 1,
    _ stream: any TokenStream = MaskedStream(),
    model: @escaping @Sendable () throws -> ToyModel = { try Self.model() }
  ) throws -> (run: RunFolder, errors: [(any Error)?]) {
    let run = RunFolder(folder.file(name))
    try run.create(force: false)
    try run.write("steps: 1\n", to: run.recipe)
    let errors = ThreadGroup.run(ranks) { exchange in
      let model = try model()
      let data = try Dataset(
        [(stream, 1)], sequenceLength: settings.sequenceLength, heldOut: 0.1,
        seed: settings.seed, vocabulary: 12)
      var job = Trainer.Job(
        settings: settings, model: model, data: data,
        ledger: FLOPLedger(
          prelude: 1, core: 2, coda: 1, adapter: 1, head: 1, attention: 1, preludeBlocks: 1,
          coreBlocks: 1, codaBlocks: 1),
        run: run, compute: try Compute(1)
      ) { path, _ in try createFolders(path) }
      job.exchange = exchange
      try Trainer(job) { _ in }.run()
    }
    return (run, errors)
  }

  /// Loss and gradient norm of the first step, in Double: means over all labels of the batch.
  private func expected(_ settings: TrainingSettings) throws -> (loss: Double, norm: Double) {
    let data = try Dataset(
      [(MaskedStream(), 1)], sequenceLength: settings.sequenceLength, heldOut: 0.1,
      seed: settings.seed, vocabulary: 12)
    var cursor = data.startCursor
    let rows = try (0..<settings.batchSize).map { _ in try data.next(&cursor) }
    let batch = TokenBatch(rows)
    var (sum, gradient) = (0.0, [Double](repeating: 0, count: 144))
    for (token, label) in zip(batch.tokens, batch.labels) where label >= 0 {
      let row = (0..<12).map { exp(Double(sin(Float(Int(token) * 12 + $0)))) }
      let total = row.reduce(0, +)
      sum -= log(row[Int(label)] / total)
      for j in 0..<12 {
        gradient[Int(token) * 12 + j] += row[j] / total - (j == Int(label) ? 1 : 0)
      }
    }
    let count = Double(batch.targetCount)
    return (sum / count, (gradient.reduce(0) { $0 + $1 * $1 }).squareRoot() / count)
  }

  @Test("is the same however a step is cut, and is that of the whole step's labels")
  func cuts() throws {
    let whole = try train("whole", Self.settings(micro: 8))
    #expect(whole.errors.allSatisfy { $0 == nil })
    let steps = try whole.run.steps()
    let want = try expected(Self.settings(micro: 8))
    #expect(abs(steps[0].loss - want.loss) < 1e-6)
    #expect(abs(steps[0].gradientNorm - want.norm) < 1e-6)
    for (micro, ranks) in [(4, 1), (2, 1), (1, 1), (4, 2), (2, 4), (1, 2), (1, 8)] {
      let cut = try train("\(micro)-\(ranks)", Self.settings(micro: micro), ranks: ranks)
      #expect(cut.errors.allSatisfy { $0 == nil })
      for (a, b) in zip(steps, try cut.run.steps()) {
        #expect(abs(a.loss - b.loss) < 1e-6, "\(micro) \(ranks), step \(a.step)")
        #expect(abs(a.gradientNorm - b.gradientNorm) < 1e-6, "\(micro) \(ranks)")
      }
    }
  }

  @Test("a step of prompts alone changes nothing, and its loss is no number")
  func promptsAlone() throws {
    // One row in fifty is learned, so most steps of two rows have none.
    var settings = Self.settings(micro: 1, steps: 40)
    settings.batchSize = 2
    let stream = MaskedStream(learned: { $0 % 50 == 0 ? 1 : 0 })
    let (run, errors) = try train("rare", settings, stream)
    #expect(errors.allSatisfy { $0 == nil })
    let steps = try run.steps()
    let empty = steps.filter { $0.loss.isNaN }
    #expect(empty.count > 20 && empty.count < 40)
    #expect(empty.allSatisfy { $0.gradientNorm == 0 })
  }

  @Test("data of which nothing is learned are refused with their count")
  func nothing() throws {
    func check(_ stream: MaskedStream, heldOutRows: Int) throws {
      let data = try Dataset(
        [(stream, 1)], sequenceLength: 15, heldOut: 0.1, seed: 1, vocabulary: 12)
      try data.requireLearned(heldOutRows: heldOutRows)
    }
    let nothing = MaskedStream(learned: { _ in 0 })
    #expect(throws: TrainingError(.nothingLearned(tokens: 225 * 16, heldOut: false), "masked")) {
      try check(nothing, heldOutRows: 4)
    }
    #expect(throws: TrainingError(.nothingLearned(tokens: 4 * 16, heldOut: true), "masked")) {
      try check(MaskedStream(learned: { $0 < 225 ? 1 : 0 }), heldOutRows: 4)
    }
    try check(MaskedStream(learned: { $0 == 224 || $0 == 225 ? 0.1 : 0 }), heldOutRows: 4)
  }

  @Test("a run that diverges ends with an error and leaves no package", arguments: [1, 3])
  func diverges(steps: Int) throws {
    var settings = Self.settings(micro: 8, steps: steps)
    settings.optimizer.adam.learningRate = 1e308
    settings.schedule = LearningRateSchedule(.constant, warmup: .steps(0), cooldown: .steps(0))
    let (run, errors) = try train("diverged", settings)
    let error = try #require(errors[0] as? TrainingError)
    #expect(error.kind == .checkFailed)
    if steps == 1 { #expect(error.problem == .weightsNotFinite(step: 1)) }
    #expect(try pathKind(run.package) == nil)
    let last = try train(
      "last", Self.settings(micro: 8, steps: 3),
      model: {
        let model = try Self.model()
        model.badCalls = [3]
        return model
      })
    #expect(last.errors[0] as? TrainingError == TrainingError(.diverged(steps: 1), last.run.path))
    #expect(try pathKind(last.run.package) == nil)
  }
}
