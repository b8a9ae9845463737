import ByteIO
import Foundation
import Tensors
import TestSupport
import Testing

@testable import GGUF

private func open(_ bytes: [UInt8]) throws -> GGUFFile { try GGUFFile(ByteRegion(bytes)) }

@Suite("GGUF accepts")
struct AcceptanceTests {
  @Test("a fixture of the reference writer: all metadata types")
  func metadata() throws {
    let file = try GGUFFile(ByteRegion(path: Fixtures.path("gguf/types.gguf")))
    #expect(file.version == 3)
    #expect(file.warnings.isEmpty)
    #expect(file["general.architecture"]?.string == "test")
    #expect(file["value.uint8"] == .uint8(200))
    #expect(file["value.int8"] == .int8(-100))
    #expect(file["value.uint16"] == .uint16(60000))
    #expect(file["value.int16"] == .int16(-30000))
    #expect(file["value.uint32"] == .uint32(4_000_000_000))
    #expect(file["value.int32"] == .int32(-2_000_000_000))
    #expect(file["value.uint64"] == .uint64(.max))
    #expect(file["value.uint64"]?.integer == nil)
    #expect(file["value.int64"]?.integer == .min)
    #expect(file["value.float32"] == .float32(1e-5))
    #expect(file["value.float64"]?.double == 0.1)
    #expect(file["value.bool"]?.bool == true)
    #expect(file["value.string"]?.string == "naïve 字")
    #expect(file["array.strings"]?.array?.strings == ["a", "", "Ġthe"])
    #expect(file["array.bytes"]?.array?.integers == [255, 0, 65])
    #expect(file["array.int32"]?.array?.integers == [1, -2, 3])
    #expect(file["array.float32"]?.array?.floats == [0.5, -1.5])
    #expect(file["array.bool"]?.array?[0] == .bool(true))
    #expect(file["absent"] == nil)
    #expect(file.metadata.map(\.key).first == "general.architecture")
  }

  @Test("a fixture of the reference writer: tensors, outermost dimension first")
  func tensors() throws {
    let file = try GGUFFile(ByteRegion(path: Fixtures.path("gguf/types.gguf")))
    let types = file.tensors.map(\.type.description)
    #expect(
      types == [
        "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "F32",
        "F16", "BF16", "F64", "I8", "I32",
      ])
    #expect(file.tensors[0].shape == [4, 64])
    #expect(file.tensors[10].shape == [2, 3, 5])
    #expect(file.tensors[10].byteCount == 120)
    var bytes = [UInt8](repeating: 0, count: 7)
    var raw = bytes.mutableRawSpan
    try file.read(14, at: 0, into: &raw)
    #expect(bytes.map { Int8(bitPattern: $0) } == [-3, -2, -1, 0, 1, 2, 3])
    let region = try #require(file.region(of: 14))
    #expect(region.start == file.tensors[14].offset)
  }

  @Test("the example of formats/gguf.md")
  func example() throws {
    let file = try GGUFFile(ByteRegion(path: Fixtures.path("gguf/small.gguf")))
    #expect(file["sizes"]?.array?.integers == [1, 2])
    #expect(file.tensors.map(\.offset) == [0xc0, 0xe0])
    var values = [Float](repeating: 0, count: 32)
    var span = values.mutableSpan
    let bytes = try #require(file.region(of: 1)).contents(limit: 34)
    try dequantise(bytes.rawSpan, as: .q80, into: &span)
    #expect(values.prefix(3) == [-127, -15, -14])
    #expect(file.warnings.isEmpty)
  }

  @Test("version 2")
  func version2() throws { #expect(try open(GGUFBytes(version: 2).bytes).version == 2) }

  @Test("no tensors and no metadata")
  func empty() throws { #expect(try open(GGUFBytes().bytes).tensors.isEmpty) }

  @Test("an empty array")
  func emptyArray() throws {
    let bytes = GGUFBytes.metadata {
      $0.entry("a", 9, UInt32(8))
      $0.add(UInt64(0))
    }
    #expect(try open(bytes)["a"]?.array?.count == 0)
  }

  @Test("a scalar: no dimensions")
  func scalar() throws {
    let file = try open(GGUFBytes.tensors { $0.tensor("a", [], at: 0) })
    #expect(file.tensors[0].shape == [])
    #expect(file.tensors[0].byteCount == 4)
  }

  @Test("a zero dimension, the tensor at a border shared with the next")
  func zeroDimension() throws {
    let file = try open(
      GGUFBytes.tensors(2, data: 32) {
        $0.tensor("a", [0, 7], at: 0)
        $0.tensor("b", [4], at: 0)
      })
    #expect(file.tensors.map(\.shape) == [[7, 0], [4]])
    #expect(file.tensors.map(\.byteCount) == [0, 16])
  }

  @Test("an empty tensor of a file that ends with its header, before the padding")
  func emptyAtEnd() throws {
    var bytes = GGUFBytes(tensors: 1)
    bytes.tensor("a", [0, 7], at: 0)
    #expect(bytes.bytes.count % 32 != 0)
    let file = try open(bytes.bytes)
    let region = try #require(file.region(of: 0))
    #expect(region.byteCount == 0)
    var none: [UInt8] = []
    var span = none.mutableRawSpan
    try file.read(0, at: 0, into: &span)
  }

  @Test("the last tensor without padding")
  func unpadded() throws {
    let file = try open(GGUFBytes.tensors(data: 16) { $0.tensor("a", [4], at: 0) })
    #expect(file.warnings.isEmpty)
  }

  @Test("gguf.trailing: bytes after the last tensor, with a warning")
  func trailing() throws {
    let file = try open(GGUFBytes.tensors(data: 40) { $0.tensor("a", [4], at: 0) })
    #expect(file.warnings.map(\.code) == ["gguf.trailing"])
  }

  @Test("gguf.alignment: 1, with a warning")
  func alignment() throws {
    let file = try open(
      GGUFBytes.metadata(padding: nil) { $0.entry("general.alignment", 4, UInt32(1)) })
    #expect(file.alignment == 1)
    #expect(file.warnings.map(\.code) == ["gguf.alignment"])
  }

  @Test("gguf.key_style: a key with capitals and spaces, with a warning")
  func keyStyle() throws {
    let file = try open(GGUFBytes.metadata(padding: nil) { $0.entry("A key", 0, UInt8(1)) })
    #expect(file["A key"]?.integer == 1)
    #expect(file.warnings.map(\.code) == ["gguf.key_style"])
  }

  @Test("gguf.string_not_utf8: raw bytes kept, with a warning")
  func invalidStrings() throws {
    let bytes = GGUFBytes.metadata(count: 2, padding: nil) {
      $0.add(string: "a")
      $0.add(UInt32(8))
      $0.add(string: [0xff, 0xfe])
      $0.entry("b", 9, UInt32(8))
      $0.add(UInt64(2))
      $0.add(string: [0xe2, 0x82])
      $0.add(string: "ok")
    }
    let file = try open(bytes)
    #expect(file["a"] == .string([0xff, 0xfe]))
    #expect(file["a"]?.string == nil)
    #expect(file["b"]?.array.map { Array($0.stringBytes(0)) } == [0xe2, 0x82])
    #expect(file.warnings.map(\.code) == ["gguf.string_not_utf8", "gguf.string_not_utf8"])
  }

  @Test("types that cannot be decoded: shown, and refused by name when decoded")
  func undecodable() throws {
    let file = try open(
      GGUFBytes.tensors(2, data: 512) {
        $0.tensor("a", [256], type: 15, at: 0)
        $0.tensor("b", [256], type: 16, at: 320)
      })
    #expect(file.tensors.map(\.type) == [.block(.q8K), .block(.iq2XXS)])
    var values = [Float](repeating: 0, count: 256)
    var span = values.mutableSpan
    let bytes = [UInt8](repeating: 0, count: 292)
    #expect(throws: GGUFError(.noDequantiser(.q8K))) {
      try dequantise(bytes.rawSpan, as: .q8K, into: &span)
    }
  }

  @Test("a file inside another: positions count from the outer start")
  func nested() throws {
    let inner = GGUFBytes.tensors(data: 16) { $0.tensor("a", [4], at: 0) }
    let outer = ByteRegion([UInt8](repeating: 9, count: 100) + inner)
    let file = try GGUFFile(#require(outer.subregion(100..<100 + inner.count)))
    #expect(file.tensors[0].offset == 100 + inner.count - 16)
  }

  @Test("GG-3: a vocabulary of 49,152 pieces loads within a second in a debug build")
  func vocabulary() throws {
    let bytes = GGUFBytes.metadata(padding: nil) {
      $0.entry("tokens", 9, UInt32(8))
      $0.add(UInt64(49152))
      for i in 0..<49152 { $0.add(string: "piece\(i)") }
    }
    let clock = ContinuousClock()
    var file: GGUFFile?
    let time = try clock.measure { file = try open(bytes) }
    #expect(file?["tokens"]?.array.map { Array($0.stringBytes(49151)) } == Array("piece49151".utf8))
    #expect(time < .seconds(1))
  }
}
