import ByteIO
import Checkpoint
import Kernels
import ModelGraph
import Tensors
import TestSupport
import Testing
import Transformer

@testable import Verification

/// Against the hidden states that transformers computed.
@Suite("scale of the prelude's output")
struct PreludeMeterTests {
  @Test("is the root mean square of its hidden states", arguments: ["tiny-llama", "tiny-olmo2"])
  func scale(name: String) throws {
    let source = try Checkpoint.open(Fixtures.path("golden/\(name)/source"))
    let graph = try ModelGraph.read(
      config: try #require(source.config), tensors: source.tensors)
    let numbers = try Checkpoint.open(Fixtures.path("golden/\(name)/golden.safetensors"))
    let hidden = try floats("base.hidden", of: numbers)
    let ids = try integers("input_ids", of: numbers)
    let layer = ids.count * graph.sizes.hidden
    for depth in [1, 3] {
      var meter = try PreludeMeter(
        graph, prelude: Array(0..<depth), from: source, on: Compute(1))
      try meter.add(Batch(tokens: ids, sequences: 2))
      let want = hidden[depth * layer..<(depth + 1) * layer]
        .reduce(0.0) { $0 + Double($1) * Double($1) }
      #expect(
        abs(meter.rootMeanSquare / (want / Double(layer)).squareRoot() - 1) < 1e-5,
        "\(depth) layers")
    }
  }

  private func integers(_ name: TensorName, of checkpoint: Checkpoint) throws -> [Int32] {
    let record = try #require(checkpoint.record(name))
    var bytes = [UInt8](repeating: 0, count: record.byteCount)
    var span = bytes.mutableRawSpan
    try checkpoint.read(name, at: 0, into: &span)
    // 64 bits each, of which the lowest are enough.
    return stride(from: 0, to: bytes.count, by: 8).map {
      Int32(bytes[$0]) | Int32(bytes[$0 + 1]) << 8
    }
  }

  private func floats(_ name: TensorName, of checkpoint: Checkpoint) throws -> [Float] {
    let record = try #require(checkpoint.record(name))
    var values = [Float](repeating: 0, count: record.elementCount)
    var span = values.mutableSpan
    try checkpoint.readFloats(name, elements: 0..<record.elementCount, into: &span)
    return values
  }
}
