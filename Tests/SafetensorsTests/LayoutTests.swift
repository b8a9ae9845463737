import ByteIO
import JSON
import Safetensors
import Tensors
import TestSupport
import Testing

/// ST-14: what the writer promises.
@Suite("safetensors layout")
struct LayoutTests {
  typealias Tensor = SafetensorsLayout.Tensor

  static let mixed: [Tensor] = [
    Tensor(name: "odd.bf16", type: .bf16, shape: [3]),
    Tensor(name: "z", type: .bf16, shape: [32]),
    Tensor(name: "empty", type: .f32, shape: [0, 7]),
    Tensor(name: "b", type: .f32, shape: [4, 4]),
    Tensor(name: "scalar", type: .f64, shape: []),
    Tensor(name: "byte", type: .u8, shape: [1]),
    Tensor(name: "a", type: .f32, shape: [16]),
  ]

  @Test("ST-14: whole cache lines first, then wider types, then names; the same for any request")
  func order() throws {
    let layout = try SafetensorsLayout(Self.mixed)
    #expect(
      layout.entries.map(\.tensor.name) == [
        "a", "b", "empty", "z", "scalar", "odd.bf16", "byte",
      ])
    #expect(try SafetensorsLayout(Self.mixed.reversed()) == layout)
    #expect(layout.header.count % 64 == 0)
    for entry in layout.entries {
      let width = entry.tensor.type.bitWidth / 8
      #expect(entry.range.lowerBound % (entry.range.count % 64 == 0 ? 64 : width) == 0)
    }
    #expect(layout.byteCount == layout.entries.last?.range.upperBound)
  }

  @Test("ST-14: the given order is kept")
  func givenOrder() throws {
    let layout = try SafetensorsLayout(Self.mixed, order: .given)
    #expect(layout.entries.map(\.tensor) == Self.mixed)
  }

  @Test("what is written is read back, byte for byte")
  func roundTrip() throws {
    let layout = try SafetensorsLayout(Self.mixed, metadata: [("format", "pt"), ("é\n", "\"")])
    let folder = TemporaryFolder()
    var data = (0..<(layout.byteCount - layout.header.count)).map { UInt8($0 & 0xFF) }
    var writer = try SafetensorsWriter(creating: folder.file("a.safetensors"), layout: layout)
    try writer.write(data.rawSpan)
    let written = try writer.finish()
    #expect(written.byteCount == layout.byteCount)
    #expect(written.digest == SHA256.digest(of: layout.header + data))

    let file = try SafetensorsFile(ByteRegion(path: folder.file("a.safetensors")))
    #expect(file.warnings.isEmpty)
    #expect(file.metadata == ["format": "pt", "é\n": "\""])
    #expect(file.tensors.map(\.offset) == layout.entries.map(\.range.lowerBound))
    for (i, entry) in layout.entries.enumerated() {
      var bytes = [UInt8](repeating: 0, count: entry.range.count)
      var span = bytes.mutableRawSpan
      try file.read(i, at: 0, into: &span)
      #expect(bytes == Array(data.prefix(bytes.count)))
      data.removeFirst(bytes.count)
    }
  }

  @Test("ST-6, ST-8: refuses what no reader would accept")
  func refuses() {
    func problem(_ tensors: [Tensor]) -> SafetensorsError? {
      do throws(SafetensorsError) { _ = try SafetensorsLayout(tensors) } catch { return error }
      return nil
    }
    func named(_ name: TensorName) -> Tensor { Tensor(name: name, type: .u8, shape: [1]) }
    #expect(problem([named("__metadata__")]) == .init(.reservedName, tensor: "__metadata__"))
    #expect(problem([named("")]) == .init(.nameEmpty, tensor: ""))
    #expect(problem([named("a\0b")]) == .init(.nameHasNUL, tensor: "a\0b"))
    #expect(problem([named("a"), named("a")]) == .init(.nameTwice, tensor: "a"))
    #expect(problem([named("\u{E9}"), named("e\u{301}")]) == nil)
    #expect(
      problem([Tensor(name: "c", type: .c128, shape: [1])])
        == .init(.typeUnknown("C128"), tensor: "c"))
    #expect(
      problem([Tensor(name: "f", type: .f4, shape: [3])])
        == .init(.fractionalBytes(shape: [3], .f4), tensor: "f"))
    #expect(
      problem(["a", "b"].map { Tensor(name: $0, type: .u8, shape: [1 << 59]) })
        == .init(.overflow("the file's size"), tensor: "b"))
  }
}

@Suite("shard plan")
struct ShardPlanTests {
  static let tensors = (0..<6).map {
    SafetensorsLayout.Tensor(name: TensorName("t\($0)"), type: .f32, shape: [$0 == 3 ? 100 : 10])
  }

  @Test("SI-10: fills shards in order; a tensor above the limit gets its own")
  func fills() throws {
    let plan = try ShardPlan(Self.tensors, limit: 100)
    #expect(
      plan.shards.map { $0.layout.entries.map(\.tensor.name.string) } == [
        ["t0", "t1"], ["t2"], ["t3"], ["t4", "t5"],
      ])
    #expect(plan.shards.first?.name == "model-00001-of-00004.safetensors")
    let index = try #require(plan.index)
    #expect(index.name == "model.safetensors.index.json")
    let value = try JSONValue(parsing: Array(index.text.utf8))
    #expect(value["metadata"] == ["total_parameters": 150, "total_size": 600])
    #expect(
      value["weight_map"]?.object?.members.map(\.key) == ["t0", "t1", "t2", "t3", "t4", "t5"])
    #expect(value["weight_map"]?["t3"] == "model-00003-of-00004.safetensors")
    #expect(
      plan.byteCount == index.text.utf8.count + plan.shards.map(\.layout.byteCount).reduce(0, +))
  }

  @Test("SI-10: what fits one file has no index", arguments: [nil, 600])
  func single(limit: Int?) throws {
    let plan = try ShardPlan(Self.tensors, limit: limit)
    #expect(plan.shards.map(\.name) == ["model.safetensors"])
    #expect(plan.index == nil)
  }

  @Test("a name in two shards is refused")
  func twice() {
    #expect(throws: SafetensorsError(.nameTwice, tensor: "t0")) {
      _ = try ShardPlan(Self.tensors + [Self.tensors[0]], limit: 100)
    }
  }
}
