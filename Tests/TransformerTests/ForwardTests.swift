import Kernels
import ModelGraph
import Tensors
import Testing

@testable import Transformer

@Suite("forward pass against the golden numbers")
struct ForwardTests {
  /// Float32 on two BLAS libraries: about 1e-6 apart; a wrong convention is off by 1e-2.
  static let tolerance = 1e-5

  @Test("source models: logits and every hidden state", arguments: Golden.sources)
  func source(name: String) throws {
    let golden = try Golden(name)
    let model = try golden.model("source")
    let result = try model.forward(golden.batch(), ForwardOptions(keepsHidden: true))
    let logits = try #require(result.logits).floats
    #expect(relativeError(logits, try golden.floats("base.logits")) < Self.tolerance)
    let hidden = try #require(result.hidden).floats
    let want = try golden.floats("base.hidden")
    #expect(hidden.count == want.count)
    let layer = 24 * model.network.sizes.hidden
    for start in stride(from: 0, to: want.count, by: layer) {
      let range = start..<(start + layer)
      #expect(
        relativeError(hidden[range], want[range]) < Self.tolerance, "layer \(start / layer)")
    }
  }

  @Test("retrofits: logits and latent", arguments: Golden.retrofits, [1, 2, 4, 8])
  func retrofit(name: String, recurrence: Int) throws {
    let golden = try Golden(name)
    let model = try golden.model("retrofit")
    let result = try model.forward(
      golden.batch(),
      ForwardOptions(recurrence: recurrence, state: golden.initialState(), logits: .all))
    let logits = try #require(result.logits).floats
    #expect(
      relativeError(logits, try golden.floats("r\(recurrence).logits")) < Self.tolerance)
    let latent = try #require(result.latent).floats
    #expect(
      relativeError(latent, try golden.floats("r\(recurrence).latent")) < Self.tolerance)
  }
}
