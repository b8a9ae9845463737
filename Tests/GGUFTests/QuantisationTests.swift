import ByteIO
import Foundation
import Tensors
import TestSupport
import Testing

@testable import GGUF

func floats(_ bytes: some Sequence<UInt8>) -> [Float] {
  let bytes = Array(bytes)
  return bytes.withUnsafeBytes { raw in
    stride(from: 0, to: raw.count, by: 4).map {
      Float(
        bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: UInt32.self)))
    }
  }
}

func fixture(_ name: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(filePath: Fixtures.path("gguf/" + name))))
}

@Suite("Quantised blocks")
struct QuantisationTests {
  @Test("GG-17: decode bit for bit as the reference")
  func dequantises() throws {
    let file = try GGUFFile(ByteRegion(path: Fixtures.path("gguf/types.gguf")))
    let expected = floats(try fixture("types.f32"))
    var start = 0
    for (i, tensor) in file.tensors.enumerated() {
      guard case .block(let type) = tensor.type else { continue }
      let bytes = try #require(file.region(of: i)).contents(limit: 1 << 20)
      var values = [Float](repeating: .nan, count: tensor.elementCount)
      var span = values.mutableSpan
      try dequantise(bytes.rawSpan, as: type, into: &span)
      let want = expected[start..<start + values.count]
      let wrong = zip(values, want).enumerated().filter { $1.0.bitPattern != $1.1.bitPattern }
      #expect(wrong.isEmpty, "\(type): \(wrong.prefix(3))")
      start += values.count
    }
    #expect(start == expected.count)
  }

  @Test("GG-19: Q8_0 is written as the reference writes it")
  func quantises() throws {
    let values = floats(try fixture("q8_0.f32"))
    let want = try fixture("q8_0.bin")
    var bytes = [UInt8](repeating: 0xa5, count: want.count)
    var raw = bytes.mutableRawSpan
    #expect(quantiseQ80(values.span, into: &raw) == .zero)
    let wrong = zip(bytes, want).enumerated().filter { $1.0 != $1.1 }
    #expect(wrong.isEmpty, "\(wrong.prefix(3))")
  }

  @Test("GG-19: Q8_0 counts what does not fit")
  func overflow() {
    var values = [Float](repeating: 1, count: 128)
    values[3] = -1e7
    values[40] = .infinity
    values[70] = .nan
    var bytes = [UInt8](repeating: 0, count: 4 * 34)
    var raw = bytes.mutableRawSpan
    #expect(quantiseQ80(values.span, into: &raw) == Overflow(count: 96, maximum: .infinity))
    values[40] = 0
    values[70] = 0
    raw = bytes.mutableRawSpan
    #expect(quantiseQ80(values.span, into: &raw) == Overflow(count: 32, maximum: 1e7))
  }
}
