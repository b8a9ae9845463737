import ByteIO
import Checkpoint
import Kernels
import ModelGraph
import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite("diagonal injection")
struct DiagonalInjectionTests {
  private let golden: Golden
  private let graph: ModelGraph
  private let source: OverlaidTensor

  /// The golden retrofit with the fixture's decays in the adapter's place.
  init() throws {
    golden = try Golden("tiny-llama")
    let (read, base) = try golden.checkpoint("retrofit")
    source = OverlaidTensor(
      base: base, name: "decay",
      numbers: try Checkpoint.open(Fixtures.path("training/diagonal.safetensors")))
    let hidden = read.sizes.hidden
    guard case .recurrent(var body) = read.body else { throw TransformerError(.notRecurrent) }
    body.injection = Injection(
      .diagonal,
      [
        .decay: Parameter(
          name: "transformer.decay.weight", shape: [hidden], type: .f32,
          recipe: .copy(source.name, rows: hidden))
      ])
    var graph = read
    graph.body = .recurrent(body)
    self.graph = graph
  }

  @Test("loss and every gradient are those of autograd in float64", arguments: [nil, 0])
  func autograd(budget: Int?) throws {
    let model = try TrainableModel(graph, from: source, on: Compute(2))
    if let budget { model.activationBudget = budget }
    let loss = try model.lossAndGradient(
      golden.batch(), labels: golden.integers("labels"), noGradSteps: 1, gradSteps: 2,
      state: golden.initialState())
    let wanted = Double(try source.numbers.floats(named: "loss")[0])
    #expect(abs(loss.mean - wanted) < 1e-5 * wanted)
    #expect(model.tensors.contains { $0.role == .injection(.decay) })
    for tensor in model.tensors {
      let got = model.gradients.floats(tensor.offset..<(tensor.offset + tensor.count))
      let name = "grad.\(tensor.parameter.name)"
      #expect(relativeError(got, try source.numbers.floats(named: name)) < 1e-4, "\(name)")
    }
  }

  @Test("the loss is the same with gradients and without")
  func passes() throws {
    let model = try Model(graph, from: source, on: Compute(2))
    let trained = try TrainableModel(graph, from: source, on: Compute(2)).lossAndGradient(
      golden.batch(), labels: golden.integers("labels"), noGradSteps: 0, gradSteps: 3,
      state: .seeded(4))
    let batch = try golden.batch()
    let measured = try model.loss(
      batch, labels: golden.integers("labels"), ForwardOptions(recurrence: 3, state: .seeded(4)))
    #expect(abs(measured.mean - trained.mean) < 1e-6 * trained.mean)
  }

  @Test("the first pass from a state of zeros gets the prelude's output, whatever the decays")
  func identity() throws {
    guard case .recurrent(var body) = graph.body else { throw TransformerError(.notRecurrent) }
    body.stateStart = .zero
    var fromZero = graph
    fromZero.body = .recurrent(body)
    let model = try Model(fromZero, from: source, on: Compute(2))
    let batch = try golden.batch()
    let through = try model.forward(batch, ForwardOptions(recurrence: 1))
    let around = try model.forward(batch, ForwardOptions(recurrence: 1, bypassesAdapter: true))
    #expect(through.logits?.floats == around.logits?.floats)
    let further = try model.forward(batch, ForwardOptions(recurrence: 2))
    #expect(further.logits?.floats != through.logits?.floats)
  }
}
