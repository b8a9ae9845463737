import ByteIO
import JSON
import Safetensors
import Tensors
import TestSupport
import Testing

@Suite("safetensors fixtures")
struct FixtureTests {
  static func open(_ name: String) throws -> SafetensorsFile {
    try SafetensorsFile(ByteRegion(path: Fixtures.path("safetensors/" + name)))
  }

  /// Byte j is (sum of the name's bytes + j) mod 256, as the script wrote it.
  static func pattern(_ name: TensorName, _ count: Int) -> [UInt8] {
    let start = name.string.utf8.reduce(0) { $0 + Int($1) }
    return (0..<count).map { UInt8(truncatingIfNeeded: start + $0) }
  }

  @Test("ST-8: the reference writer's types, shapes and bytes")
  func types() throws {
    let file = try Self.open("types.safetensors")
    #expect(file.warnings.isEmpty)
    #expect(file.metadata == ["made by": "é \"quoted\"\n"])
    #expect(file.tensors.count == 22)
    for (i, tensor) in file.tensors.enumerated() {
      let name = tensor.name.string
      let shape = name == "scalar" ? [] : name == "empty" ? [0, 3] : [2, 4]
      let spelling = name == "scalar" ? "F32" : name == "empty" ? "F16" : name
      #expect(tensor.type.description == spelling)
      #expect(tensor.shape == shape)
      let region = try #require(file.region(of: i))
      #expect(
        try region.contents(limit: 64) == Self.pattern(tensor.name, tensor.byteCount), "\(name)")
    }
  }

  @Test("the example of the specification")
  func example() throws {
    let file = try Self.open("small.safetensors")
    #expect(file.metadata == ["format": "pt"])
    #expect(file.tensors.map(\.name) == ["embed.weight", "norm.weight"])
    #expect(file.tensors.map(\.offset) == [176, 192])
    #expect(file.tensors.map(\.byteCount) == [16, 4])
  }

  @Test("ST-14: the writer gives the bytes that an independent program derives from the rule")
  func aligned() throws {
    let tensors: [SafetensorsLayout.Tensor] = [
      .init(name: "é", type: .i64, shape: [8]), .init(name: "empty", type: .f32, shape: [0]),
      .init(name: "scale", type: .f64, shape: []), .init(name: "mask", type: .u8, shape: [5]),
      .init(name: "norm", type: .bf16, shape: [3]), .init(name: "head", type: .bf16, shape: [32]),
      .init(name: "layers.1.weight", type: .bf16, shape: [8, 8]),
      .init(name: "layers.0.weight", type: .f32, shape: [4, 8]),
    ]
    let layout = try SafetensorsLayout(tensors, metadata: [("format", "pt"), ("tool", "ckpt")])
    let folder = TemporaryFolder()
    var writer = try SafetensorsWriter(creating: folder.file("a"), layout: layout)
    for entry in layout.entries {
      try writer.write(Self.pattern(entry.tensor.name, entry.range.count).rawSpan)
    }
    _ = try writer.finish()
    #expect(
      try ByteRegion(path: folder.file("a")).contents(limit: 4096)
        == ByteRegion(path: Fixtures.path("safetensors/aligned.safetensors")).contents(limit: 4096))
  }
}
