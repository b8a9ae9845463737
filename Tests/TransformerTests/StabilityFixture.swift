import Checkpoint
import Foundation
import ModelGraph
import Tensors
import TestSupport

@testable import Transformer

/// A tiny recurrent model with the derivative of its core at a state, from torch in float64
/// (Scripts/make_stability_fixtures.py).
struct StabilityFixture {
  let graph: ModelGraph
  let source: OverlaidTensors
  private let numbers: Checkpoint

  static let names = [
    "granite-factors", "llama-linear", "mixtral-default", "olmo2-bias", "qwen3-window",
  ]

  init(_ name: String) throws {
    let family = try FamilyFixture(name)
    numbers = try Checkpoint.open(Fixtures.path("stability/\(name).safetensors"))
    let (graph, source) = try family.recurrent()
    self.graph = graph
    self.source = OverlaidTensors(base: source.base, names: source.names, numbers: numbers)
  }

  func floats(_ name: String) throws -> [Float] { try numbers.floats(named: name) }

  var batch: Batch {
    get throws { try Batch(tokens: numbers.integers(named: "input_ids"), sequences: 1) }
  }
}
