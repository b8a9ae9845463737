import ByteIO
import Checkpoint
import Kernels
import ModelGraph
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// Losses and gradients that Scripts/make_training_fixtures.py computed in float64 by autograd, and
/// held against finite differences.
private struct ModeFixture {
  private let numbers: Checkpoint

  init(_ name: String) throws {
    numbers = try Checkpoint.open(Fixtures.path("training/\(name).safetensors"))
  }

  func floats(_ name: String) throws -> [Float] { try numbers.floats(named: name) }
}

@Suite("low-rank factors and distillation against autograd in float64")
struct ModeTests {
  private static let matrices: [BlockRole] = [.query, .key, .value, .output, .gate, .up, .down]

  private static func model(
    _ roles: [BlockRole] = matrices, wholes: Set<Field.Role> = []
  ) throws -> (model: TrainableModel, golden: Golden) {
    let golden = try Golden("tiny-llama")
    let (graph, source) = try golden.checkpoint("retrofit")
    let lowRank = LowRank(rank: 3, alpha: 5, roles: roles, seed: 1)
    let model = try TrainableModel(
      graph, from: source, on: Compute(2),
      training: TrainedParts(lowRank: lowRank) { wholes.contains($0) })
    return (model, golden)
  }

  @Test("gradients of the factors of every matrix")
  func lowRank() throws {
    let (model, golden) = try Self.model(wholes: [.injection(.adapter)])
    let fixture = try ModeFixture("lora")
    for factor in model.factors {
      let name = "\(factor.block).\(factor.role.rawValue)"
      factor.a(in: model.parameters).assign(try fixture.floats(name + ".A"))
      factor.b(in: model.parameters).assign(try fixture.floats(name + ".B"))
    }
    try model.parametersChanged()
    let loss = try model.lossAndGradient(
      golden.batch(), labels: golden.integers("labels"), gradSteps: 2,
      state: golden.initialState())
    let want = Double(try fixture.floats("loss")[0])
    #expect(abs(loss.mean - want) < 1e-5 * want)
    #expect(model.factors.count == 8 * 7)
    for factor in model.factors {
      let name = "grad.\(factor.block).\(factor.role.rawValue)"
      let (a, b) = (factor.a(in: model.gradients), factor.b(in: model.gradients))
      #expect(relativeError(a.floats, try fixture.floats(name + ".A")) < 1e-4, "\(name).A")
      #expect(relativeError(b.floats, try fixture.floats(name + ".B")) < 1e-4, "\(name).B")
    }
  }

  @Test("a new adaptation is the model itself, and only chosen matrices have factors")
  func start() throws {
    let (model, golden) = try Self.model([.query, .down])
    #expect(model.factors.count == 8 * 2)
    let (graph, source) = try golden.checkpoint("retrofit")
    let plain = try TrainableModel(graph, from: source, on: Compute(2))
    try model.parametersChanged()
    let labels = try golden.integers("labels")
    let (a, b) = (
      try model.loss(golden.batch(), labels: labels, recurrence: 2),
      try plain.loss(golden.batch(), labels: labels, recurrence: 2)
    )
    #expect(a == b)
    // Rank 3 of query [32, 32] and down [32, 88], in whole cache lines.
    #expect(model.gradients.floatCount == 8 * (96 + 96 + 272 + 96))
    let first = try #require(model.factors.first)
    let values = first.a(in: model.parameters).floats
    #expect(values.allSatisfy { abs($0) <= 1 / Float(32).squareRoot() })
    #expect(Set(values).count > 90)
    #expect(first.b(in: model.parameters).floats.allSatisfy { $0 == 0 })
  }

  @Test("gradients of every parameter under distillation from the source model")
  func distillation() throws {
    let golden = try Golden("tiny-llama")
    let (graph, source) = try golden.checkpoint("retrofit")
    let student = try TrainableModel(graph, from: source, on: Compute(2))
    let teacher = try Teacher(
      golden.model("source"), for: student, DistillationMix(temperature: 2.5, mix: 0.3))
    let fixture = try ModeFixture("distillation")
    let loss = try student.lossAndGradient(
      golden.batch(), labels: golden.integers("labels"), from: teacher, noGradSteps: 1,
      gradSteps: 2, state: golden.initialState())
    let (hard, soft) = (
      Double(try fixture.floats("loss")[0]), Double(try fixture.floats("divergence")[0])
    )
    #expect(abs(loss.labels.mean - hard) < 1e-5 * hard)
    #expect(abs(loss.teacher.mean - soft) < 1e-5 * soft)
    for tensor in student.tensors {
      let got = student.gradients.floats(tensor.offset..<(tensor.offset + tensor.count))
      let name = "grad.\(tensor.parameter.name)"
      #expect(relativeError(got, try fixture.floats(name)) < 1e-4, "\(name)")
    }
  }

  @Test(
    "gradients of every parameter under the penalty on the last pass's step",
    arguments: [(without: 1, with: 2), (without: 2, with: 1)])
  func settling(steps: (without: Int, with: Int)) throws {
    let golden = try Golden("tiny-llama")
    let (graph, source) = try golden.checkpoint("retrofit")
    let model = try TrainableModel(graph, from: source, on: Compute(2))
    model.settlingWeight = 0.7
    let fixture = try ModeFixture("settling-\(steps.without)-\(steps.with)")
    let loss = try model.lossAndGradient(
      golden.batch(), labels: golden.integers("labels"), noGradSteps: steps.without,
      gradSteps: steps.with, state: golden.initialState())
    let (hard, moved) = (
      Double(try fixture.floats("loss")[0]), Double(try fixture.floats("settling")[0])
    )
    #expect(abs(loss.mean - hard) < 1e-5 * hard)
    #expect(abs(try #require(model.settlingLoss) - moved) < 1e-5 * moved)
    for tensor in model.tensors {
      let got = model.gradients.floats(tensor.offset..<(tensor.offset + tensor.count))
      let name = "grad.\(tensor.parameter.name)"
      #expect(relativeError(got, try fixture.floats(name)) < 1e-4, "\(name)")
    }
  }

  @Test("a first pass has no step to penalise")
  func firstPass() throws {
    let golden = try Golden("tiny-llama")
    let (graph, source) = try golden.checkpoint("retrofit")
    func gradients(_ weight: Double) throws -> [Float] {
      let model = try TrainableModel(graph, from: source, on: Compute(1))
      model.settlingWeight = weight
      _ = try model.lossAndGradient(
        golden.batch(), labels: golden.integers("labels"), gradSteps: 1,
        state: golden.initialState())
      #expect(model.settlingLoss == nil)
      return model.gradients.floats(0..<model.gradients.floatCount)
    }
    #expect(try gradients(0) == gradients(0.7))
  }

  @Test("a teacher with another vocabulary is refused")
  func vocabulary() throws {
    let (graph, source) = try Golden("tiny-llama").checkpoint("retrofit")
    let student = try TrainableModel(graph, from: source, on: Compute(1))
    let other = try Golden("tiny-olmo2").model("source")
    #expect(throws: TransformerError(.otherVocabulary(teacher: 100, student: 96))) {
      try Teacher(other, for: student, DistillationMix(temperature: 1, mix: 1))
    }
  }
}
