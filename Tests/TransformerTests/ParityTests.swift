import Kernels
import ModelGraph
import Tensors
import Testing

@testable import Transformer

@Suite("exactness")
struct ParityTests {
  /// A retrofit whose adapter ignores the state and passes the prelude's output on.
  private func passThrough(_ golden: Golden) throws -> Model {
    var (graph, source) = try golden.checkpoint("retrofit")
    var body = try #require(graph.recurrence)
    body.injection.parameters[.adapter]?.recipe = Recipe(
      .initialised(.identities(state: 0, prelude: 1)), as: .f32)
    body.injection.parameters[.adapter]?.type = .f32
    graph.body = .recurrent(body)
    return try Model(graph, from: source, on: Compute(2))
  }

  @Test(
    "one pass with the adapter [0 | I] is the source restricted to its layers, bit for bit",
    arguments: [
      ("tiny-llama", [0, 1, 4, 5, 6, 7, 8, 9]), ("tiny-olmo2", [0, 1, 4, 5, 6, 7, 8, 9]),
    ])
  func parity(name: String, layers: [Int]) throws {
    let golden = try Golden(name)
    let retrofit = try passThrough(golden)
    let source = try golden.model("source")
    let got = try retrofit.forward(
      golden.batch(), ForwardOptions(recurrence: 1, keepsHidden: true))
    let want = try source.forward(
      golden.batch(), ForwardOptions(blocks: layers, keepsHidden: true))
    #expect(got.logits?.floats == want.logits?.floats)
    #expect(got.hidden?.floats == want.hidden?.floats)
    let bypassed = try golden.model("retrofit").forward(
      golden.batch(), ForwardOptions(recurrence: 1, bypassesAdapter: true))
    #expect(bypassed.logits?.floats == want.logits?.floats)
  }

  @Test("the same seed and threads give the same bits, another seed others")
  func determinism() throws {
    let golden = try Golden("tiny-llama")
    let batch = try golden.batch()
    func logits(_ seed: UInt64) throws -> [Float] {
      let options = ForwardOptions(recurrence: 3, state: .seeded(seed))
      return try #require(try golden.model("retrofit").forward(batch, options).logits).floats
    }
    let first = try logits(1)
    #expect(try logits(1) == first)
    #expect(try logits(2) != first)
    var gradients: [[Float]] = []
    for _ in 0..<2 {
      let (graph, source) = try golden.checkpoint("retrofit")
      let model = try TrainableModel(graph, from: source, on: Compute(2))
      _ = try model.lossAndGradient(
        batch, labels: golden.integers("labels"), noGradSteps: 1, gradSteps: 2)
      gradients.append(model.gradients.floats(0..<model.gradients.floatCount))
    }
    #expect(gradients[0] == gradients[1])
  }
}
