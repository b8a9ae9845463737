import ByteIO
import Checkpoint
import Kernels
import ModelGraph
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// A golden model's tensors, and beside them the decays of a fixture.
private struct OverlaidDecay: RecipeSource {
  static let name: TensorName = "decay"
  let base: Checkpoint
  let fixture: Checkpoint

  private func source(_ name: TensorName) -> Checkpoint { name == Self.name ? fixture : base }

  func record(_ name: TensorName) -> TensorRecord? { source(name).record(name) }

  func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    try source(name).read(name, at: offset, into: &bytes)
  }

  func region(_ name: TensorName) -> ByteRegion? { source(name).region(name) }

  func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws { try source(name).readFloats(name, elements: elements, into: &values) }
}

@Suite("diagonal injection")
struct DiagonalInjectionTests {
  private let golden: Golden
  private let graph: ModelGraph
  private let source: OverlaidDecay

  /// The golden retrofit with the fixture's decays in the adapter's place.
  init() throws {
    golden = try Golden("tiny-llama")
    let (read, base) = try golden.checkpoint("retrofit")
    source = OverlaidDecay(
      base: base, fixture: try Checkpoint.open(Fixtures.path("training/diagonal.safetensors")))
    let hidden = read.sizes.hidden
    guard case .recurrent(var body) = read.body else { throw TransformerError(.notRecurrent) }
    body.injection = Injection(
      .diagonal,
      [
        .decay: Parameter(
          name: "transformer.decay.weight", shape: [hidden], type: .f32,
          recipe: .copy(OverlaidDecay.name, rows: hidden))
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
    let wanted = Double(try source.fixture.floats(named: "loss")[0])
    #expect(abs(loss.mean - wanted) < 1e-5 * wanted)
    #expect(model.tensors.contains { $0.role == .injection(.decay) })
    for tensor in model.tensors {
      let got = model.gradients.floats(tensor.offset..<(tensor.offset + tensor.count))
      let name = "grad.\(tensor.parameter.name)"
      #expect(relativeError(got, try source.fixture.floats(named: name)) < 1e-4, "\(name)")
    }
  }

  @Test("the loss without gradients, and that of a cache, are the same")
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
