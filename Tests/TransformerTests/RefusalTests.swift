import ByteIO
import Checkpoint
import Kernels
import ModelGraph
import Tensors
import Testing

@testable import Transformer

/// A checkpoint in which one tensor's first value is NaN.
private struct Poisoned: RecipeSource {
  let base: Checkpoint
  let victim: TensorName

  func record(_ name: TensorName) -> TensorRecord? { base.record(name) }
  func region(_ name: TensorName) -> ByteRegion? { nil }

  func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    try base.read(name, at: offset, into: &bytes)
    if name == victim, offset == 0 {
      bytes.storeBytes(of: 0xFF, toByteOffset: 0, as: UInt8.self)
      bytes.storeBytes(of: 0x7F, toByteOffset: 1, as: UInt8.self)
    }
  }

  func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    try base.readFloats(name, elements: elements, into: &values)
    if name == victim, elements.lowerBound == 0 { values[0] = .nan }
  }
}

@Suite("bad input")
struct RefusalTests {
  @Test("tokens, lengths, states and recurrences out of range are named")
  func inputs() throws {
    let golden = try Golden("tiny-llama")
    let model = try golden.model("retrofit")
    func refuses(_ problem: TransformerError.Problem, _ body: () throws -> Void) {
      #expect(throws: TransformerError(problem)) { try body() }
    }
    refuses(.emptySequence) { _ = try Batch(tokens: [], sequences: 1) }
    refuses(.raggedBatch(count: 5, sequences: 2, length: 2)) {
      _ = try Batch(tokens: [1, 2, 3, 4, 5], sequences: 2)
    }
    refuses(.tokenOutOfRange(token: 96, index: 1, vocabulary: 96)) {
      _ = try model.forward(Batch(tokens: [1, 96], sequences: 1))
    }
    refuses(.tokenOutOfRange(token: -1, index: 0, vocabulary: 96)) {
      _ = try Decoder(model).advance([-1])
    }
    refuses(.contextTooLong(length: 65, limit: 64)) {
      _ = try model.forward(Batch(tokens: [Int32](repeating: 1, count: 65), sequences: 1))
    }
    refuses(.stateSize(found: 3, expected: 32)) {
      _ = try model.forward(
        Batch(tokens: [1], sequences: 1), ForwardOptions(state: .given([1, 2, 3])))
    }
    refuses(.recurrenceOutOfRange(0)) {
      _ = try model.forward(Batch(tokens: [1], sequences: 1), ForwardOptions(recurrence: 0))
    }
    let source = try golden.model("source")
    refuses(.notRecurrent) {
      _ = try source.forward(Batch(tokens: [1], sequences: 1), ForwardOptions(recurrence: 2))
    }
  }

  @Test("labels out of the vocabulary, or none at all")
  func labels() throws {
    let golden = try Golden("tiny-llama")
    let (graph, checkpoint) = try golden.checkpoint("source")
    let model = try TrainableModel(graph, from: checkpoint, on: Compute(1))
    let batch = try Batch(tokens: [1, 2], sequences: 1)
    #expect(throws: TransformerError(.labelOutOfRange(label: 96, index: 1, vocabulary: 96))) {
      try model.lossAndGradient(batch, labels: [1, 96])
    }
    #expect(throws: TransformerError(.noLabels)) {
      try model.lossAndGradient(batch, labels: [-100, -100])
    }
  }

  @Test(
    "a weight that is NaN is named",
    arguments: ["model.layers.3.mlp.up_proj.weight", "model.norm.weight"])
  func poisoned(name: String) throws {
    let (graph, checkpoint) = try Golden("tiny-llama").checkpoint("source")
    let source = Poisoned(base: checkpoint, victim: TensorName(name))
    let error = #expect(throws: TransformerError.self) {
      _ = try Model(graph, from: source, on: Compute(1))
    }
    #expect(error?.problem == .nonFiniteWeight(TensorName(name)))
  }
}
