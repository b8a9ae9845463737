import ByteIO
import Foundation
import Tensors
import TestSupport
import Testing

@testable import GGUF

@Suite("GGUF writer")
struct WriterTests {
  private func write(
    _ layout: GGUFLayout, _ body: (inout GGUFWriter) throws -> Void
  ) throws -> [UInt8] {
    let folder = TemporaryFolder()
    let path = folder.file("out.gguf")
    var writer = try GGUFWriter(creating: path, layout: layout)
    try body(&writer)
    let written = try writer.finish()
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    #expect(written.byteCount == bytes.count)
    #expect(layout.byteCount == bytes.count)
    return bytes
  }

  private func layout(of file: GGUFFile) throws -> GGUFLayout {
    let tensors = file.tensors.map {
      GGUFLayout.Tensor(name: $0.name, type: $0.type, shape: $0.shape)
    }
    return try GGUFLayout(tensors, metadata: file.metadata)
  }

  @Test("GG-18: the same bytes as the reference writer", arguments: ["types", "llama"])
  func equalsReference(_ name: String) throws {
    let file = try GGUFFile(ByteRegion(path: Fixtures.path("gguf/\(name).gguf")))
    let bytes = try write(layout(of: file)) { writer in
      for i in file.tensors.indices { try writer.copy(#require(file.region(of: i))) }
    }
    #expect(try bytes == fixture(name + ".gguf"))
  }

  @Test("pieces of any size, across the borders of tensors")
  func pieces() throws {
    let file = try GGUFFile(ByteRegion(path: Fixtures.path("gguf/types.gguf")))
    let all = try file.tensors.indices.flatMap {
      try #require(file.region(of: $0)).contents(limit: 1 << 20)
    }
    let bytes = try write(layout(of: file)) { writer in
      for start in stride(from: 0, to: all.count, by: 77) {
        try writer.write(Array(all[start..<min(all.count, start + 77)]).rawSpan)
      }
    }
    #expect(try bytes == fixture("types.gguf"))
  }

  @Test("empty tensors and another alignment")
  func alignment() throws {
    let tensors = [
      GGUFLayout.Tensor(name: "a", type: .element(.f32), shape: [0, 3]),
      GGUFLayout.Tensor(name: "b", type: .element(.f16), shape: [3]),
      GGUFLayout.Tensor(name: "c", type: .element(.bf16), shape: []),
    ]
    let layout = try GGUFLayout(tensors, metadata: [("general.alignment", .uint32(64))])
    let bytes = try write(layout) { try $0.write([UInt8](1...8).rawSpan) }
    let file = try GGUFFile(ByteRegion(bytes))
    #expect(file.warnings.isEmpty)
    #expect(file.tensors.map(\.shape) == [[0, 3], [3], []])
    let last = try #require(file.region(of: 2))
    #expect(try last.contents(limit: 8) == [7, 8])
    #expect(last.start % 64 == 0)
  }

  static let refused: [(GGUFLayout.Tensor, GGUFError.Problem)] = [
    (.init(name: "", type: .element(.f32), shape: [1]), .nameEmpty),
    (.init(name: "a\0", type: .element(.f32), shape: [1]), .nameHasNUL),
    (
      .init(name: .init(String(repeating: "n", count: 64)), type: .element(.f32), shape: [1]),
      .nameTooLong(byteCount: 64)
    ),
    (.init(name: "a", type: .element(.f32), shape: [1, 1, 1, 1, 1]), .rank(5)),
    (.init(name: "a", type: .element(.f8E4M3), shape: [1]), .noStorage(.element(.f8E4M3))),
    (.init(name: "a", type: .block(.q80), shape: [32, 33]), .partialBlock(row: 33, .q80)),
    (
      .init(name: "a", type: .element(.f32), shape: [1 << 61]),
      .overflow([1 << 61], .element(.f32))
    ),
  ]

  @Test("refuses what the format cannot hold", arguments: refused.indices)
  func refuses(_ index: Int) {
    let (tensor, problem) = Self.refused[index]
    let error = #expect(throws: GGUFError.self) { _ = try GGUFLayout([tensor], metadata: []) }
    #expect(error?.problem == problem)
    #expect(error?.tensor == tensor.name.string)
  }

  @Test("refuses names and keys used twice")
  func twice() {
    let tensor = GGUFLayout.Tensor(name: "a", type: .element(.f32), shape: [1])
    #expect(throws: GGUFError(.duplicateTensor, tensor: "a")) {
      _ = try GGUFLayout([tensor, tensor], metadata: [])
    }
    #expect(throws: GGUFError(.duplicateKey("k"))) {
      _ = try GGUFLayout([], metadata: [("k", .bool(true)), ("k", .bool(true))])
    }
  }
}
