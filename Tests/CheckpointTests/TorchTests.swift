import ByteIO
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoint

@Suite("PyTorch checkpoints")
struct TorchTests {
  let folder = TemporaryFolder()

  func copy(_ fixture: String, to name: String) throws {
    try FileManager.default.copyItem(
      atPath: Fixtures.path("torch/" + fixture), toPath: folder.file(name))
  }

  @Test(
    "a file's tensors are those PyTorch saved, in any layout",
    arguments: ["types.pt", "types-legacy.pt", "views-deflated.pt", "big-endian.pt"])
  func file(_ name: String) throws {
    let expected = try JSONValue(
      parsing: ByteRegion(path: Fixtures.path("torch/expected.json")).contents(limit: 1 << 20))
    let checkpoint = try Checkpoint.open(Fixtures.path("torch/" + name))
    #expect(checkpoint.format == .torch && checkpoint.layout == .file)
    for tensor in try #require(expected[name]?.array) {
      let record = try #require(checkpoint.record(TensorName(tensor["name"]?.string ?? "")))
      var bytes = [UInt8](repeating: 0, count: record.byteCount)
      var span = bytes.mutableRawSpan
      try checkpoint.read(record.name, at: 0, into: &span)
      #expect(hexadecimal(bytes) == tensor["data"]?.string, "\(record.name)")
      #expect(record.type.description == tensor["dtype"]?.string)
      #expect(record.shape == tensor["shape"]?.array?.compactMap(\.integer))
    }
  }

  @Test("a folder: the usual name, trainer state left aside")
  func usualName() throws {
    try copy("types.pt", to: "pytorch_model.bin")
    try copy("tied.pt", to: "optimizer.pt")
    try folder.write([1], to: "training_args.bin")
    try folder.write([1], to: "tokenizer.model")
    let checkpoint = try Checkpoint.open(folder.path)
    #expect(checkpoint.inputs == [folder.file("pytorch_model.bin")])
    #expect(checkpoint.sideFiles.map(\.name) == ["tokenizer.model"])
  }

  @Test("SI-5, SI-6: shards with an index must agree with it")
  func shards() throws {
    try copy("types.pt", to: "pytorch_model-00001-of-00002.bin")
    try copy("views.pt", to: "pytorch_model-00002-of-00002.bin")
    var map: [(String, String)] = []
    for i in 1...2 {
      let name = "pytorch_model-0000\(i)-of-00002.bin"
      map += try Checkpoint.open(folder.file(name)).tensors.map { ($0.name.string, name) }
    }
    try folder.write(CheckpointTests.index(map), to: "pytorch_model.bin.index.json")
    let checkpoint = try Checkpoint.open(folder.path)
    #expect(checkpoint.tensors.count == map.count)
    #expect(checkpoint.format == .torch && checkpoint.inputs.count == 3)
    try folder.write(
      CheckpointTests.index(map.dropLast()), to: "pytorch_model.bin.index.json")
    let error = #expect(throws: (any Error).self) { _ = try Checkpoint.open(folder.path) }
    #expect((error as? any DiagnosedError)?.code == "index.tensor_unlisted")
  }
}
