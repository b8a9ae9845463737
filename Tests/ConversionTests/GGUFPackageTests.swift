import ByteIO
import Checkpoint
import GGUF
import JSON
import ModelGraph
import Models
import Tensors
import TestSupport
import Testing

@testable import Conversion

@Suite("packages in GGUF")
struct GGUFPackageTests {
  private let folder = TemporaryFolder()

  private func converted(_ source: String, to name: String, _ type: StorageType? = nil) throws
    -> String
  {
    let checkpoint = try Checkpoint.opening(source)
    let tensors = try NamedTensors(checkpoint)
    let target: Conversion.Target = name.hasSuffix(".gguf") ? .gguf : .folder
    _ = try Conversion(to: target, as: type).write(
      tensors.parameters, of: tensors, to: folder.file(name)
    ) { _, _ in }
    return folder.file(name)
  }

  @Test(
    "GG-31, GG-32: a package comes back with every tensor and file",
    arguments: ["golden/tiny-llama/retrofit", "golden/tiny-olmo2/retrofit"])
  func roundTrip(_ name: String) throws {
    let source = Fixtures.path(name)
    let back = try converted(try converted(source, to: "model.gguf"), to: "back")
    let (a, b) = (try Checkpoint.opening(source), try Checkpoint.opening(back))
    #expect(Set(a.tensors.map(\.name)) == Set(b.tensors.map(\.name)))
    for record in a.tensors {
      let other = try #require(b.record(record.name))
      #expect(other.type == record.type && other.shape == record.shape)
      #expect(try bytes(a, record) == bytes(b, other), "\(record.name)")
    }
    for file in a.sideFiles where PackedFiles.names.contains(file.name) {
      let other = try #require(b.sideFiles.first { $0.name == file.name })
      let (wanted, found) = (
        try file.region.contents(limit: 1 << 24), try other.region.contents(limit: 1 << 24)
      )
      #expect(try JSONValue(parsing: wanted) == JSONValue(parsing: found), "\(file.name)")
    }
    #expect(try OpenedModel(source).graph == OpenedModel(back).graph)
  }

  private func bytes(_ checkpoint: Checkpoint, _ record: TensorRecord) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: record.elementCount * 4)
    var values = [Float](repeating: 0, count: record.elementCount)
    var span = values.mutableSpan
    try checkpoint.readFloats(record.name, elements: 0..<record.elementCount, into: &span)
    for (i, value) in values.enumerated() {
      for byte in 0..<4 { bytes[4 * i + byte] = UInt8(value.bitPattern >> (8 * byte) & 0xFF) }
    }
    return bytes
  }

  @Test("the model is read from the file itself, its tokenizer too")
  func opened() throws {
    let file = try converted(Fixtures.path("golden/tiny-llama/retrofit"), to: "model.gguf")
    let model = try OpenedModel(file)
    #expect(model.graph.recurrence != nil)
    #expect(try model.graph == OpenedModel(Fixtures.path("golden/tiny-llama/retrofit")).graph)
    let header = try GGUFFile(ByteRegion(path: file))
    #expect(header["recurrent.prelude_count"]?.integer == model.graph.recurrence?.prelude.count)
    let small = try converted(file, to: "small.gguf", .block(.q80))
    #expect(try OpenedModel(small).graph.recurrence != nil)
  }

  @Test("GG-31: gguf.bad_package for a file that packages do not have, and without a configuration")
  func refused() throws {
    for (i, key) in ["recurrent.file.../evil", "recurrent.file.tokenizer.json"].enumerated() {
      let layout = try GGUFLayout(
        [GGUFLayout.Tensor(name: "a", type: .element(.f32), shape: [1])],
        metadata: [("general.architecture", .string("recurrent")), (key, .string("{}"))])
      let path = folder.file("bad-\(i).gguf")
      var writer = try GGUFWriter(creating: path, layout: layout)
      try writer.write([0, 0, 0, 0].rawSpan)
      _ = try writer.finish()
      let error = #expect(throws: CheckpointError.self) { _ = try Checkpoint.open(path) }
      #expect(error?.code == "gguf.bad_package")
    }
  }
}
