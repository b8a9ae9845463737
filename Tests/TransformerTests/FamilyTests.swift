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

/// A tiny model of a family with what transformers computes of it (Scripts/make_family_fixtures.py).
private struct FamilyFixture {
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

  func floats(_ name: String) throws -> [Float] {
    let record = try #require(numbers.record(TensorName(name)), "fixture tensor \(name)")
    var values = [Float](repeating: 0, count: record.elementCount)
    var span = values.mutableSpan
    try numbers.readFloats(record.name, elements: 0..<record.elementCount, into: &span)
    return values
  }

  func integers(_ name: String) throws -> [Int32] {
    let record = try #require(numbers.record(TensorName(name)), "fixture tensor \(name)")
    var values = [Int64](repeating: 0, count: record.elementCount)
    try values.withUnsafeMutableBytes { bytes in
      var span = MutableRawSpan(_unsafeBytes: bytes)
      try numbers.read(record.name, at: 0, into: &span)
    }
    return values.map { Int32($0) }
  }

  func batch() throws -> Batch {
    try Batch(tokens: try integers("input_ids"), sequences: 1)
  }

  /// The model with layers 0, 1 / 3, 4 / 5, whose adapter is the fixture's.
  func recurrent() throws -> (graph: ModelGraph, source: OverlaidAdapter) {
    let selection = try LayerSelection("0-1/3-4/5", of: 6)
    let graph = try graph.applying([
      SelectLayers(selection), InsertAdapter(.tensor("adapter", .f32)),
    ])
    return (graph, OverlaidAdapter(base: checkpoint, numbers: numbers))
  }
}

/// The model's tensors, and the adapter from the fixture's numbers.
private struct OverlaidAdapter: RecipeSource {
  let base: Checkpoint
  let numbers: Checkpoint

  private func source(_ name: TensorName) -> Checkpoint { name == "adapter" ? numbers : base }

  func record(_ name: TensorName) -> TensorRecord? { source(name).record(name) }

  func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    try source(name).read(name, at: offset, into: &bytes)
  }

  func region(_ name: TensorName) -> ByteRegion? { source(name).region(name) }

  func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws { try source(name).readFloats(name, elements: elements, into: &values) }
}

@Suite("families against transformers in float32")
struct FamilyTests {
  @Test("there are fixtures")
  func present() { #expect(FamilyFixture.names.count >= 39) }

  @Test("logits and every hidden state", arguments: FamilyFixture.names)
  func forward(name: String) throws {
    let fixture = try FamilyFixture(name)
    let model = try Model(fixture.graph, from: fixture.checkpoint, on: try Workers(2))
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
    let model = try Model(fixture.graph, from: fixture.checkpoint, on: try Workers(2))
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
    let model = try Model(graph, from: source, on: try Workers(2))
    let result = try model.forward(
      try fixture.batch(), ForwardOptions(recurrence: 3, state: start))
    #expect(
      relativeError(try #require(result.latent).floats, try fixture.floats("recurrent.latent"))
        < 1e-5)
    #expect(
      relativeError(try #require(result.logits).floats, try fixture.floats("recurrent.logits"))
        < 1e-5)

    let trained = try TrainableModel(graph, from: source, on: try Workers(2))
    let loss = try trained.lossAndGradient(
      try fixture.batch(), labels: try fixture.integers("labels"), noGradSteps: 1, gradSteps: 2,
      state: start)
    let want = Double(try fixture.floats("recurrent.loss")[0])
    #expect(abs(loss.mean - want) < 1e-5 * want)
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
