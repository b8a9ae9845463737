import ByteIO
import Checkpoint
import Kernels
import ModelGraph
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// A golden case: its models, and the numbers that other programs computed from them.
struct Golden {
  let name: String
  private let numbers: Checkpoint

  init(_ name: String) throws {
    self.name = name
    numbers = try Checkpoint.open(Fixtures.path("golden/\(name)/golden.safetensors"))
  }

  static let sources = [
    "tiny-llama", "tiny-llama3-rope", "tiny-olmo2", "tiny-qwen2", "tiny-qwen3",
  ]
  static let retrofits = ["tiny-llama", "tiny-llama3-rope", "tiny-olmo2"]

  func checkpoint(_ part: String) throws -> (graph: ModelGraph, source: Checkpoint) {
    let checkpoint = try Checkpoint.open(Fixtures.path("golden/\(name)/\(part)"))
    let config = try #require(checkpoint.config)
    return (try ModelGraph.read(config: config, tensors: checkpoint.tensors), checkpoint)
  }

  func model(_ part: String, threads: Int = 2) throws -> Model {
    let (graph, source) = try checkpoint(part)
    return try Model(graph, from: source, on: Compute(threads))
  }

  func floats(_ name: String) throws -> [Float] { try numbers.floats(named: name) }

  func integers(_ name: String) throws -> [Int32] { try numbers.integers(named: name) }

  /// The input: 2 sequences of 12 tokens.
  func batch() throws -> Batch { try Batch(tokens: integers("input_ids"), sequences: 2) }

  func initialState() throws -> InitialState { .given(try floats("initial_state")) }
}

/// Norm of the difference over norm of the reference.
func relativeError(_ got: some Collection<Float>, _ want: some Collection<Float>) -> Double {
  guard got.count == want.count else { return .infinity }
  var (difference, norm) = (0.0, 0.0)
  for (a, b) in zip(got, want) {
    difference += (Double(a) - Double(b)) * (Double(a) - Double(b))
    norm += Double(b) * Double(b)
  }
  return norm == 0 ? difference.squareRoot() : (difference / norm).squareRoot()
}
