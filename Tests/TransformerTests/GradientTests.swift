import Kernels
import ModelGraph
import Tensors
import Testing

@testable import Transformer

@Suite("gradients against the golden numbers")
struct GradientTests {
  static let tolerance = 1e-4

  /// A budget of nothing makes every block compute its activations again.
  @Test(
    "every parameter, with and without passes outside the gradient", arguments: Golden.retrofits,
    [(0, 3, Int?.none), (3, 2, nil), (3, 2, 0), (0, 3, 400_000)])
  func golden(name: String, plan: (without: Int, with: Int, budget: Int?)) throws {
    let golden = try Golden(name)
    let (graph, source) = try golden.checkpoint("retrofit")
    let model = try TrainableModel(
      graph, from: source, on: Compute(2), activationBudget: plan.budget)
    let labels = try golden.integers("labels")
    let loss = try model.lossAndGradient(
      golden.batch(), labels: labels, noGradSteps: plan.without, gradSteps: plan.with,
      state: golden.initialState())
    let prefix = "bptt.n\(plan.without)k\(plan.with)"
    let want = Double(try golden.floats(prefix + ".loss")[0])
    #expect(abs(loss.mean - want) < 1e-5 * want)
    for tensor in model.tensors {
      let got = model.gradients.floats(tensor.offset..<(tensor.offset + tensor.count))
      let expected = try golden.floats("\(prefix).grad.\(tensor.parameter.name)")
      #expect(
        relativeError(got, expected) < Self.tolerance, "gradient of \(tensor.parameter.name)")
    }
  }

  @Test("documents packed into a sequence learn as each does alone", arguments: Golden.retrofits)
  func packed(name: String) throws {
    let golden = try Golden(name)
    let (graph, source) = try golden.checkpoint("retrofit")
    let apart = try golden.batch()
    let (count, length) = (apart.tokens.count, apart.length)
    let together = try Batch(
      tokens: apart.tokens, sequences: 1,
      firstVisible: (0..<count).map { Int32($0 / length * length) })
    let labels = (0..<count).map { $0 % length == length - 1 ? -100 : apart.tokens[$0 + 1] }
    let (a, b) = (
      try TrainableModel(graph, from: source, on: Compute(2)),
      try TrainableModel(graph, from: source, on: Compute(2))
    )
    let losses = try [(a, apart), (b, together)].map { model, batch in
      try model.lossAndGradient(
        batch, labels: labels, noGradSteps: 1, gradSteps: 2, state: golden.initialState())
    }
    #expect(abs(losses[0].mean - losses[1].mean) < 1e-6)
    for tensor in a.tensors {
      let range = tensor.offset..<(tensor.offset + tensor.count)
      #expect(
        relativeError(b.gradients.floats(range), a.gradients.floats(range)) < 1e-5,
        "gradient of \(tensor.parameter.name)")
    }
  }
}
