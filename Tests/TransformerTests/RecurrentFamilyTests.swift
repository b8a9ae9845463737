import ByteIO
import Checkpoint
import Foundation
import Kernels
import ModelGraph
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// Models that recur by themselves, in their publishers' files, against torch
/// (Scripts/make_recurrent_fixtures.py).
@Suite("families that recur by themselves")
struct RecurrentFamilyTests {
  static let names: [String] = {
    let names = try? FileManager.default.contentsOfDirectory(atPath: Fixtures.path("recurrent"))
    return (names ?? []).filter { $0.contains("-") }.sorted()
  }()

  private struct Opened {
    let checkpoint: Checkpoint
    let graph: ModelGraph
    let numbers: Checkpoint

    init(_ name: String) throws {
      let folder = Fixtures.path("recurrent/" + name)
      checkpoint = try Checkpoint.open(folder + "/model")
      graph = try ModelGraph.read(
        config: try #require(checkpoint.config), tensors: checkpoint.tensors)
      numbers = try Checkpoint.open(folder + "/numbers.safetensors")
    }

    func batch() throws -> Batch {
      try Batch(tokens: try numbers.integers(named: "input_ids"), sequences: 1)
    }

    /// The first state where the model draws it.
    func state() throws -> InitialState {
      guard case .normal? = graph.recurrence?.stateStart else { return .seeded(0) }
      return .given(try numbers.floats(named: "initial_state"))
    }
  }

  @Test("there are fixtures")
  func present() { #expect(Self.names.count >= 2) }

  @Test("logits at r = 1, 2 and 4", arguments: names, [1, 2, 4])
  func forward(name: String, recurrence: Int) throws {
    let opened = try Opened(name)
    let model = try Model(opened.graph, from: opened.checkpoint, on: try Compute(2))
    let result = try model.forward(
      try opened.batch(), ForwardOptions(recurrence: recurrence, state: try opened.state()))
    let want = try opened.numbers.floats(named: "logits.\(recurrence)")
    #expect(relativeError(try #require(result.logits).floats, want) < 1e-5)
  }

  @Test("token by token over the cache: the logits of the whole pass", arguments: names)
  func cached(name: String) throws {
    let opened = try Opened(name)
    let model = try Model(opened.graph, from: opened.checkpoint, on: try Compute(2))
    let tokens = try opened.numbers.integers(named: "input_ids")
    let whole = try model.forward(try opened.batch(), ForwardOptions(recurrence: 4))
    let want = try #require(whole.logits).floats
    let decoder = try Decoder(model, recurrence: 4)
    let width = opened.graph.sizes.vocabulary
    _ = try decoder.advance(Array(tokens[..<5]))
    for position in 5..<tokens.count {
      let logits = try decoder.advance([tokens[position]])
      #expect(
        relativeError(logits.floats, Array(want[position * width..<(position + 1) * width])) < 1e-5)
    }
  }

  @Test("loss and every gradient, of all passes and of the last two", arguments: names, [3, 2])
  func gradients(name: String, backprop: Int) throws {
    let opened = try Opened(name)
    let trained = try TrainableModel(opened.graph, from: opened.checkpoint, on: try Compute(2))
    let loss = try trained.lossAndGradient(
      try opened.batch(), labels: try opened.numbers.integers(named: "labels"),
      noGradSteps: 3 - backprop, gradSteps: backprop, state: try opened.state())
    let want = Double(try opened.numbers.floats(named: "loss.3.\(backprop)")[0])
    #expect(abs(loss.mean - want) < 1e-5 * want)
    for tensor in trained.tensors where tensor.isTrained {
      let name = "grad.3.\(backprop).\(tensor.parameter.name.string)"
      let values = (0..<tensor.count).map { trained.gradients[tensor.offset + $0] }
      // Nothing comes back to an embedding that a pass without gradient stands between.
      guard opened.numbers.record(TensorName(name)) != nil else {
        #expect(values.allSatisfy { $0 == 0 }, "\(name)")
        continue
      }
      #expect(relativeError(values, try opened.numbers.floats(named: name)) < 1e-4, "\(name)")
    }
  }
}
