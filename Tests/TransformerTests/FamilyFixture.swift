import ByteIO
import Checkpoint
import Foundation
import ModelGraph
import Recurrence
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// A tiny model of a family with what transformers computes of it (Scripts/make_family_fixtures.py).
struct FamilyFixture {
  let checkpoint: Checkpoint
  let graph: ModelGraph
  private let numbers: Checkpoint

  static let names: [String] = {
    let names = try? FileManager.default.contentsOfDirectory(
      atPath: Fixtures.path("families"))
    return (names ?? []).filter { $0.contains("-") }.sorted()
  }()

  init(_ name: String) throws {
    let folder = Fixtures.path("families/" + name)
    checkpoint = try Checkpoint.open(folder + "/model")
    graph = try ModelGraph.read(
      config: try #require(checkpoint.config), tensors: checkpoint.tensors)
    numbers = try Checkpoint.open(folder + "/numbers.safetensors")
  }

  func floats(_ name: String) throws -> [Float] { try numbers.floats(named: name) }

  func integers(_ name: String) throws -> [Int32] { try numbers.integers(named: name) }

  func batch() throws -> Batch {
    try Batch(tokens: try integers("input_ids"), sequences: 1)
  }

  /// The model with layers 0, 1 / 3, 4 / 5, whose adapter is the fixture's.
  func recurrent() throws -> (graph: ModelGraph, source: OverlaidTensors) {
    let selection = try LayerSelection("0-1/3-4/5", of: 6)
    let graph = try graph.applying([
      SelectLayers(selection), InsertAdapter(.tensor("adapter", .f32)),
    ])
    return (graph, OverlaidTensors(base: checkpoint, names: ["adapter"], numbers: numbers))
  }
}

/// A model's tensors, and some more from a fixture's numbers.
struct OverlaidTensors: RecipeSource {
  let base: Checkpoint
  let names: Set<TensorName>
  let numbers: Checkpoint

  private func source(_ name: TensorName) -> Checkpoint { names.contains(name) ? numbers : base }

  func record(_ name: TensorName) -> TensorRecord? { source(name).record(name) }

  func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    try source(name).read(name, at: offset, into: &bytes)
  }

  func region(_ name: TensorName) -> ByteRegion? { source(name).region(name) }

  func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws { try source(name).readFloats(name, elements: elements, into: &values) }
}
