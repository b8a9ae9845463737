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
}
