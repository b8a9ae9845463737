import ByteIO
import Checkpoint
import Foundation
import Kernels
import ModelGraph
import Recurrence
import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite("families against transformers in float32")
struct FamilyTests {
  @Test("there are fixtures")
  func present() { #expect(FamilyFixture.names.count >= 53) }

  @Test("logits and every hidden state", arguments: FamilyFixture.names)
  func forward(name: String) throws {
    let fixture = try FamilyFixture(name)
    let model = try Model(fixture.graph, from: fixture.checkpoint, on: try Compute(2))
    let result = try model.forward(
      try fixture.batch(), ForwardOptions(keepsHidden: true))
    #expect(relativeError(try #require(result.logits).floats, try fixture.floats("logits")) < 1e-5)
    let (hidden, want) = (try #require(result.hidden).floats, try fixture.floats("hidden"))
    try #require(hidden.count == want.count)
    let size = want.count / (fixture.graph.blocks.count + 1)
    for layer in 0...fixture.graph.blocks.count {
      let range = layer * size..<(layer + 1) * size
      #expect(
        relativeError(Array(hidden[range]), Array(want[range])) < 1e-5, "hidden state \(layer)")
    }
  }

  @Test(
    "token by token over the cache: the logits of the whole pass", arguments: FamilyFixture.names)
  func cached(name: String) throws {
    // The frequencies of these depend on how long the sequence is so far, in transformers too.
    if name.contains("dynamic") || name.contains("longrope") { return }
    let fixture = try FamilyFixture(name)
    let model = try Model(fixture.graph, from: fixture.checkpoint, on: try Compute(2))
    let (tokens, want) = (try fixture.integers("input_ids"), try fixture.floats("logits"))
    let decoder = try Decoder(model)
    let width = fixture.graph.sizes.vocabulary
    _ = try decoder.advance(Array(tokens[..<7]))
    for position in 7..<tokens.count {
      let logits = try decoder.advance([tokens[position]])
      let row = position * width..<(position + 1) * width
      #expect(relativeError(logits.floats, Array(want[row])) < 1e-5, "position \(position)")
    }
  }

  @Test("recurrent: latent, logits, loss and every gradient", arguments: FamilyFixture.names)
  func recurrent(name: String) throws {
    let fixture = try FamilyFixture(name)
    let (graph, source) = try fixture.recurrent()
    let start = InitialState.given(try fixture.floats("initial_state"))
    let model = try Model(graph, from: source, on: try Compute(2))
    let result = try model.forward(
      try fixture.batch(), ForwardOptions(recurrence: 3, state: start))
    #expect(
      relativeError(try #require(result.latent).floats, try fixture.floats("recurrent.latent"))
        < 1e-5)
    #expect(
      relativeError(try #require(result.logits).floats, try fixture.floats("recurrent.logits"))
        < 1e-5)

    let trained = try TrainableModel(graph, from: source, on: try Compute(2))
    let loss = try trained.lossAndGradient(
      try fixture.batch(), labels: try fixture.integers("labels"), noGradSteps: 1, gradSteps: 2,
      state: start)
    let want = Double(try fixture.floats("recurrent.loss")[0])
    #expect(abs(loss.mean - want) < 1e-5 * want)
    let isBalanced = graph.blocks.contains { ($0.spec.mlp.experts?.balance ?? 0) > 0 }
    #expect((trained.balanceLoss != nil) == isBalanced)
    if let balance = trained.balanceLoss {
      let want = Double(try fixture.floats("recurrent.balance")[0])
      #expect(abs(balance - want) < 1e-5 * want)
    }
    var compared = 0
    for tensor in trained.tensors {
      let isAdapter = tensor.role == .injection(.adapter)
      let name = isAdapter ? "grad.adapter" : "grad." + tensor.parameter.name.string
      var values = [Float](repeating: 0, count: tensor.count)
      for i in 0..<tensor.count { values[i] = trained.gradients[tensor.offset + i] }
      let want = try fixture.floats(name)
      // Without positions a bias of the keys moves all scores of a query alike: no gradient.
      let isNothing = want.allSatisfy { abs($0) < 1e-6 } && values.allSatisfy { abs($0) < 1e-6 }
      #expect(isNothing || relativeError(values, want) < 1e-4, "\(name)")
      compared += 1
    }
    #expect(compared == trained.tensors.count)
  }
}
