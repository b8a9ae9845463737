import Kernels
import ModelGraph
import Recurrence
import TestSupport
import Testing

@testable import Transformer

@Suite("the derivative of state by state")
struct CoreDerivativeTests {
  @Test(
    "products with its transpose are torch's, from an explicit Jacobian in float64",
    arguments: StabilityFixture.names)
  func products(name: String) throws {
    let fixture = try StabilityFixture(name)
    let model = try TrainableModel(
      fixture.graph, from: fixture.source, on: try Compute(2),
      training: TrainedParts { _ in false })
    try model.withCoreDerivative(on: fixture.batch) { derivative in
      derivative.move(to: try fixture.floats("state"))
      let wanted = try fixture.floats("product")
      // A second product does not read what the first left behind.
      for _ in 0..<2 {
        let found = derivative.transposedProduct(try fixture.floats("direction"))
        #expect(relativeError(found, wanted) < 1e-4)
      }
    }
  }

  @Test(
    "the state itself is what the passes make of the given start", arguments: StabilityFixture.names
  )
  func states(name: String) throws {
    let fixture = try StabilityFixture(name)
    let model = try Model(fixture.graph, from: fixture.source, on: try Compute(1))
    let result = try model.forward(
      fixture.batch,
      ForwardOptions(
        recurrence: 3, state: .given(try fixture.floats("initial_state")), logits: .none))
    #expect(
      relativeError(try #require(result.latent).floats, try fixture.floats("state")) < 1e-4)
  }

  @Test("a plain model has none")
  func plain() throws {
    let golden = try Golden("tiny-llama")
    let (graph, source) = try golden.checkpoint("source")
    let model = try TrainableModel(
      graph, from: source, on: try Compute(1), training: TrainedParts { _ in false })
    #expect(throws: TransformerError.self) {
      try model.withCoreDerivative(on: try Batch(tokens: [1, 2], sequences: 1)) { _ in }
    }
  }
}
