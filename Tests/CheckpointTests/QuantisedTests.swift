import ByteIO
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoint

/// Against what the libraries' own decoders give: `Scripts/make_quantised_fixtures.py`.
@Suite("quantised checkpoints")
struct QuantisedTests {
  static let names = [
    "fp8-block", "fp8-block-f32", "fp8-tensor", "fp8-exponents", "fp8-ragged", "ct-fp8-channel",
    "ct-fp8-tensor",
    "ct-fp8-block", "ct-int8", "ct-int8-zeros", "ct-int4", "ct-int4-zeros", "ct-int4-channel",
    "ct-int8-packed", "ct-int2", "ct-int4-order", "ct-mxfp4", "gptq-int4", "gptq-int4-order",
    "gptq-int3", "gptq-int2-v2", "gptq-int3-v2", "gptq-int8", "awq", "awq-columns",
  ]

  private func bytes(
    _ checkpoint: Checkpoint, _ name: TensorName, _ range: Range<Int>
  ) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    var span = bytes.mutableRawSpan
    try checkpoint.read(name, at: range.lowerBound, into: &span)
    return bytes
  }

  private func floats(
    _ checkpoint: Checkpoint, _ name: TensorName, _ range: Range<Int>
  ) throws -> [UInt32] {
    var values = [Float](repeating: 0, count: range.count)
    var span = values.mutableSpan
    try checkpoint.readFloats(name, elements: range, into: &span)
    return values.map(\.bitPattern)
  }

  private func layers(_ checkpoint: Checkpoint) throws -> Int {
    try #require(checkpoint.config?["num_hidden_layers"]?.integer)
  }

  @Test(
    "codes are read as the values that the library decodes, bit for bit, from any place on (QT-1, QT-10, QT-12, QT-20, QT-21, QT-22, QT-23, QT-24, QT-25, QT-30, QT-31, QT-32, QT-33, QT-40, QT-41, QT-43, QT-50)",
    arguments: names + ["mxfp4"])
  func values(name: String) throws {
    let path = Fixtures.path("quantised/\(name)")
    let checkpoint = try Checkpoint.open(path)
    let wanted = try Checkpoint.open(path + ".values.safetensors")
    #expect(wanted.tensors.count == (name == "mxfp4" ? 2 : 7 * (try layers(checkpoint))))
    for record in wanted.tensors {
      let found = try #require(checkpoint.record(record.name), "\(record.name)")
      #expect(found.type == record.type && found.shape == record.shape, "\(record.name)")
      #expect(found.byteCount == record.byteCount && found.offset == nil)
      #expect(found.encoding != nil && checkpoint.region(record.name) == nil)
      let all = try bytes(checkpoint, record.name, 0..<record.byteCount)
      #expect(try all == bytes(wanted, record.name, 0..<record.byteCount), "\(record.name)")
      let part = 3..<record.byteCount - 5
      #expect(try bytes(checkpoint, record.name, part) == Array(all[part]))
      for range in [0..<record.elementCount, 7..<8, 5..<record.elementCount - 3] {
        #expect(
          try floats(checkpoint, record.name, range) == floats(wanted, record.name, range))
      }
    }
  }

  @Test(
    "scales and zero points are no tensors, and the configuration tells nothing of codes (QT-2, QT-3)",
    arguments: names)
  func table(name: String) throws {
    let checkpoint = try Checkpoint.open(Fixtures.path("quantised/\(name)"))
    let layers = try layers(checkpoint)
    #expect(checkpoint.tensors.count == 11 * layers + 3)
    #expect(checkpoint.tensors.count { $0.encoding != nil } == 7 * layers)
    #expect(checkpoint.config?["quantization_config"] == nil)
    #expect(checkpoint.quantisation == nil)
    let found = try #require(checkpoint.dequantised)
    #expect(found.encodings.map(\.tensors) == [7 * layers])
    let hasActivations = ["fp8-block-f32", "ct-fp8-tensor"].contains(name)
    #expect(checkpoint.warnings.map(\.code) == (hasActivations ? ["quantised.activations"] : []))
  }

  @Test(
    "any rows are decoded alone as they are with the others (QT-1)", arguments: names + ["mxfp4"])
  func pieces(name: String) throws {
    let path = Fixtures.path("quantised/\(name)")
    let stored = try Checkpoint.open(path).stored
    let text = try ByteRegion(path: path + "/config.json").contents(limit: 1 << 20)
    let plan = try QuantisationPlan(try JSONValue(parsing: text, path: path).object, stored)
    for weight in plan.weights.values {
      let columns = try #require(weight.record.shape.last)
      let count = weight.record.elementCount / columns
      func rows(_ range: Range<Int>) throws -> [UInt32] {
        var values = [Float](repeating: 0, count: range.count * columns)
        var span = values.mutableSpan
        try weight.decoder.decode(range, from: stored, into: &span)
        return values.map(\.bitPattern)
      }
      let all = try rows(0..<count)
      for size in [1, 5, 32] {
        for first in stride(from: 0, to: count, by: size) {
          let range = first..<min(first + size, count)
          let wanted = all[range.lowerBound * columns..<range.upperBound * columns]
          #expect(try rows(range) == Array(wanted), "\(weight.record.name), rows \(range)")
        }
      }
    }
  }
}
