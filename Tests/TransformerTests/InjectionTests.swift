import ByteIO
import Checkpoint
import Kernels
import ModelGraph
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// The golden retrofit with a fixture's parameters in the adapter's place.
struct InjectionFixture {
  let golden: Golden
  let graph: ModelGraph
  let source: OverlaidTensors
  private let base: Checkpoint

  init(_ kind: Injection.Kind) throws {
    golden = try Golden("tiny-llama")
    let (read, base) = try golden.checkpoint("retrofit")
    self.base = base
    let numbers = try Checkpoint.open(
      Fixtures.path("training/\(kind.rawValue).safetensors"))
    var injection = Injection(kind)
    for role in kind.roles {
      let record = try #require(numbers.record(Self.name(role)))
      injection.parameters[role] = Parameter(
        name: TensorName("transformer.\(role.name)"), shape: record.shape, type: .f32,
        recipe: .copy(record.name, rows: record.shape[0]))
    }
    source = OverlaidTensors(
      base: base, names: Set(kind.roles.map(Self.name)), numbers: numbers)
    guard case .recurrent(var body) = read.body else { throw TransformerError(.notRecurrent) }
    body.injection = injection
    if kind == .gated { body.stateStart = .embedding }
    var graph = read
    graph.body = .recurrent(body)
    self.graph = graph
  }

  private static func name(_ role: InjectionRole) -> TensorName {
    TensorName(String(role.name.dropLast(".weight".count)))
  }

  /// The state before the first pass.
  func state() throws -> InitialState {
    graph.recurrence?.stateStart == .embedding ? .seeded(0) : try golden.initialState()
  }

  func starting(_ start: StateStart) throws -> ModelGraph {
    guard case .recurrent(var body) = graph.body else { throw TransformerError(.notRecurrent) }
    body.stateStart = start
    var changed = graph
    changed.body = .recurrent(body)
    return changed
  }
}

@Suite("injections without an adapter")
struct InjectionTests {
  private static let kinds: [Injection.Kind] = [.diagonal, .gated]

  @Test("loss and every gradient are those of autograd in float64", arguments: kinds, [nil, 0])
  func autograd(kind: Injection.Kind, budget: Int?) throws {
    let fixture = try InjectionFixture(kind)
    let (golden, numbers) = (fixture.golden, fixture.source.numbers)
    let model = try TrainableModel(fixture.graph, from: fixture.source, on: Compute(2))
    if let budget { model.activationBudget = budget }
    let loss = try model.lossAndGradient(
      golden.batch(), labels: golden.integers("labels"), noGradSteps: kind == .gated ? 0 : 1,
      gradSteps: 2, state: fixture.state())
    let wanted = Double(try numbers.floats(named: "loss")[0])
    #expect(abs(loss.mean - wanted) < 1e-5 * wanted)
    for role in kind.roles {
      #expect(model.tensors.contains { $0.role == .injection(role) })
    }
    for tensor in model.tensors {
      let got = model.gradients.floats(tensor.offset..<(tensor.offset + tensor.count))
      let name = "grad.\(tensor.parameter.name)"
      #expect(relativeError(got, try numbers.floats(named: name)) < 1e-4, "\(name)")
    }
  }

  @Test(
    "the loss is the same with gradients, without, and with both kinds of passes", arguments: kinds)
  func passes(kind: Injection.Kind) throws {
    let fixture = try InjectionFixture(kind)
    let (golden, labels) = (fixture.golden, try fixture.golden.integers("labels"))
    let model = try Model(fixture.graph, from: fixture.source, on: Compute(2))
    let measured = try model.loss(
      golden.batch(), labels: labels, ForwardOptions(recurrence: 3, state: .seeded(4)))
    let trained = try TrainableModel(fixture.graph, from: fixture.source, on: Compute(2))
    for without in [0, 2] {
      let loss = try trained.lossAndGradient(
        golden.batch(), labels: labels, noGradSteps: without, gradSteps: 3 - without,
        state: .seeded(4))
      #expect(abs(measured.mean - loss.mean) < 1e-6 * loss.mean)
    }
  }

  @Test("the first pass from a state of zeros gets the prelude's output, whatever the decays")
  func zeros() throws {
    let fixture = try InjectionFixture(.diagonal)
    let model = try Model(
      try fixture.starting(.zero), from: fixture.source, on: Compute(2))
    let batch = try fixture.golden.batch()
    let through = try model.forward(batch, ForwardOptions(recurrence: 1))
    let around = try model.forward(batch, ForwardOptions(recurrence: 1, bypassesAdapter: true))
    #expect(through.logits?.floats == around.logits?.floats)
    let further = try model.forward(batch, ForwardOptions(recurrence: 2))
    #expect(further.logits?.floats != through.logits?.floats)
  }

  @Test("decoding token by token gives the logits of the whole sequence through a gate")
  func decoding() throws {
    let fixture = try InjectionFixture(.gated)
    let model = try Model(fixture.graph, from: fixture.source, on: Compute(2))
    let tokens: [Int32] = [5, 17, 3, 40, 8, 9]
    let whole = try model.forward(
      Batch(tokens: tokens, sequences: 1), ForwardOptions(recurrence: 3))
    let logits = try #require(whole.logits)
    let decoder = try Decoder(model, recurrence: 3)
    for (i, token) in tokens.enumerated() {
      let got = try decoder.advance([token])
      #expect(relativeError(got.row(0), logits.row(i)) < 1e-5, "token \(i)")
    }
  }
}
