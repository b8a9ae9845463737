import Checkpoint
import Kernels
import ModelGraph
import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite("losses of shallower states")
struct DeepSupervisionTests {
  private func gradients(_ model: TrainableModel) -> [Float] {
    model.gradients.floats(0..<model.gradients.floatCount)
  }

  @Test(
    "loss and every gradient are those of autograd in float64",
    arguments: [("supervision", 0.0), ("supervision-distilled", 0.4)])
  func autograd(name: String, share: Double) throws {
    let golden = try Golden("tiny-llama")
    let (graph, source) = try golden.checkpoint("retrofit")
    let model = try TrainableModel(graph, from: source, on: Compute(2))
    model.supervision = DeepSupervision(depths: 2, weight: 0.6, distillation: share)
    let fixture = try Checkpoint.open(Fixtures.path("training/\(name).safetensors"))
    let loss = try model.lossAndGradient(
      golden.batch(), labels: golden.integers("labels"), noGradSteps: 1, gradSteps: 4,
      state: golden.initialState())
    let hard = Double(try fixture.floats(named: "loss")[0])
    let shallower = Double(try fixture.floats(named: "supervision")[0])
    #expect(abs(loss.mean - hard) < 1e-5 * hard)
    #expect(abs(try #require(model.supervisionLoss) - shallower) < 1e-5 * shallower)
    for tensor in model.tensors {
      let got = model.gradients.floats(tensor.offset..<(tensor.offset + tensor.count))
      let name = "grad.\(tensor.parameter.name)"
      #expect(relativeError(got, try fixture.floats(named: name)) < 1e-4, "\(name)")
    }
  }

  /// The loss after j passes with gradient is that of a run of j, whose gradients other tests hold
  /// against torch; and the gradient of a sum is the sum of gradients.
  private func compare(
    _ graph: ModelGraph, _ source: any RecipeSource, _ batch: Batch, _ labels: [Int32],
    budget: Int? = nil
  ) throws {
    let model = try TrainableModel(graph, from: source, on: Compute(2))
    if let budget { model.activationBudget = budget }
    func run(_ steps: Int, scale: Double) throws -> Double {
      try model.lossAndGradient(
        batch, labels: labels, noGradSteps: 1, gradSteps: steps, state: .seeded(3), scale: scale
      ).mean
    }
    let weight = 0.6
    let last = try run(5, scale: 1)
    var shallower = 0.0
    for place in [1, 2, 3] { shallower += try run(place, scale: weight / 3) / 3 }
    let wanted = gradients(model)
    clear(Matrix(model.gradients, rows: 1, columns: wanted.count), on: model.compute)
    #expect(model.supervisionLoss == nil)
    model.supervision = DeepSupervision(depths: 3, weight: weight)
    #expect(model.supervision.places(steps: 5) == [1, 2, 3])
    #expect(try run(5, scale: 1) == last)
    #expect(abs(try #require(model.supervisionLoss) - shallower) < 1e-6 * shallower)
    #expect(relativeError(gradients(model), wanted) < 1e-5)
  }

  @Test(
    "the gradient is the sum of those of runs of their depths, kept or computed again",
    arguments: Golden.retrofits, [nil, 0])
  func sums(name: String, budget: Int?) throws {
    let golden = try Golden(name)
    let (graph, source) = try golden.checkpoint("retrofit")
    try compare(
      graph, source, golden.batch(), golden.integers("labels"), budget: budget)
  }

  @Test(
    "with norms on the state and families' own injections, too",
    arguments: RecurrentFamilyTests.names)
  func families(name: String) throws {
    let folder = Fixtures.path("recurrent/" + name)
    let checkpoint = try Checkpoint.open(folder + "/model")
    let graph = try ModelGraph.read(
      config: try #require(checkpoint.config), tensors: checkpoint.tensors)
    let numbers = try Checkpoint.open(folder + "/numbers.safetensors")
    try compare(
      graph, checkpoint, Batch(tokens: numbers.integers(named: "input_ids"), sequences: 1),
      numbers.integers(named: "labels"))
  }

  @Test("a state that predicts what the last does has no divergence from it")
  func divergence() throws {
    let golden = try Golden("tiny-llama")
    let (graph, source) = try golden.checkpoint("retrofit")
    let model = try TrainableModel(graph, from: source, on: Compute(2))
    // The adapter forgets the state, so that every pass is the first one.
    let adapter = try #require(model.tensors.first { $0.role == .injection(.adapter) })
    let (rows, columns) = (adapter.parameter.shape[0], adapter.parameter.shape[1])
    let weights = Matrix(
      model.parameters, offset: adapter.offset, rows: rows, columns: columns)
    clear(weights.columns(0..<columns / 2), on: model.compute)
    model.supervision = DeepSupervision(depths: 2, weight: 1, distillation: 1)
    _ = try model.lossAndGradient(
      golden.batch(), labels: golden.integers("labels"), gradSteps: 3,
      state: golden.initialState())
    #expect(abs(try #require(model.supervisionLoss)) < 1e-9)
  }

  @Test("places lie evenly before the last state, and are no more than there are")
  func places() {
    func places(_ depths: Int, _ steps: Int) -> [Int] {
      DeepSupervision(depths: depths).places(steps: steps)
    }
    #expect(places(1, 8) == [4] && places(3, 8) == [2, 4, 6])
    #expect(places(7, 8) == [1, 2, 3, 4, 5, 6, 7] && places(100, 4) == [1, 2, 3])
    #expect(places(2, 4) == [1, 2] && places(0, 8) == [])
    #expect(places(3, 1) == [] && places(3, 0) == [])
    #expect(DeepSupervision(depths: 3, weight: 0).places(steps: 8) == [])
  }
}
