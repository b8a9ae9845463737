import ByteIO
import Foundation
import JSON
import Safetensors
import Tensors
import TestSupport
import Testing
import TorchArchive

@testable import CheckpointCommands

@Suite("ckpt convert and PyTorch files")
struct ConvertTorchTests {
  let folder = TemporaryFolder()
  let llama = Fixtures.path("golden/tiny-llama/source")

  private func convert(_ arguments: String...) throws -> Outcome {
    try outcome(Convert.self, arguments)
  }

  private func diff(_ a: String, _ b: String) throws -> Int32 {
    try outcome(Diff.self, [a, b, "--json"]).code
  }

  private func warnings(_ outcome: Outcome) -> [String] {
    outcome.json?["warnings"]?.array?.compactMap { $0["code"]?.string } ?? []
  }

  /// Writes a file in which `names` are one tensor.
  private func tied(_ names: [String], to name: String) throws -> String {
    let tensors = names.enumerated().map { i, name in
      TorchLayout.Tensor(
        name: TensorName(name), type: .f32, shape: [20, 10],
        tie: i == 0 ? nil : TensorName(names[0]))
    }
    let path = folder.file(name)
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    let data = (0..<800).map { UInt8(truncatingIfNeeded: $0) }
    var writer = try TorchWriter(creating: path, layout: TorchLayout(tensors))
    try writer.write(data.rawSpan)
    _ = try writer.finish()
    return path
  }

  @Test("a folder to one PyTorch file, to shards of them, and back: equal tensors, all side files")
  func roundTrip() throws {
    #expect(try convert(llama, "-o", folder.file("a.pt")).code == 0)
    #expect(try diff(llama, folder.file("a.pt")) == 0)
    let done = try convert(
      llama, "-o", folder.file("b"), "--to", "torch-folder", "--max-shard-size", "40KB", "--json")
    let names = try #require(done.json?["files"]?.array?.compactMap { $0["name"]?.string })
    #expect(names.contains("pytorch_model.bin.index.json"))
    #expect(names.contains("config.json"))
    #expect(names.contains { $0.hasPrefix("pytorch_model-00002-of-") })
    #expect(try diff(llama, folder.file("b")) == 0)
    #expect(warnings(try outcome(Inspect.self, [folder.file("b"), "--json"])) == [])
    #expect(try convert(folder.file("b"), "-o", folder.file("c")).code == 0)
    #expect(try diff(llama, folder.file("c")) == 0)
  }

  @Test("PT-62: tied tensors stay tied in PyTorch files, in the same shard")
  func ties() throws {
    let source = try tied(["a", "b", "c"], to: "a.bin")
    let renamed = try convert(
      source, "-o", folder.file("b.pt"), "--tensor", "b", "--tensor", "c", "--rename", "b=z")
    #expect(renamed.code == 0)
    let file = try TorchFile(ByteRegion(path: folder.file("b.pt")))
    #expect(file.tensors.map(\.name) == ["z", "c"])
    #expect(file.ties == [1: 0])
    #expect(
      try convert(
        source, "-o", folder.file("c"), "--to", "torch-folder", "--max-shard-size", "100"
      ).code == 0)
    #expect(try diff(source, folder.file("c")) == 0)
    let whole = try TorchFile(ByteRegion(path: folder.file("c/pytorch_model.bin")))
    #expect(whole.ties.count == 2)
  }

  @Test("ST-15 convert.tied_copied: tied tensors are written for each name where nothing ties them")
  func copied() throws {
    let source = try tied(["embed.weight", "lm_head.weight"], to: "a.bin")
    let done = try convert(source, "-o", folder.file("a.safetensors"), "--json")
    #expect(warnings(done) == ["pt.tied", "convert.tied_copied"])
    #expect(try diff(source, folder.file("a.safetensors")) == 0)
  }

  @Test("ST-15 convert.tied_once: a head that config.json ties is left out, and it is said")
  func omitted() throws {
    // The head comes first: what is left out is told by its name, not by its place.
    _ = try tied(["lm_head.weight", "embed.weight", "other.weight"], to: "m/pytorch_model.bin")
    try folder.write(Array(#"{"tie_word_embeddings": true}"#.utf8), to: "m/config.json")
    let done = try convert(folder.file("m"), "-o", folder.file("n"), "--json")
    let codes = warnings(done).filter { $0.hasPrefix("convert.tied") }
    #expect(codes == ["convert.tied_once", "convert.tied_copied"])
    let file = try SafetensorsFile(ByteRegion(path: folder.file("n/model.safetensors")))
    #expect(file.tensors.map(\.name) == ["embed.weight", "other.weight"])
    #expect(file.metadata?["lm_head.weight"] == "embed.weight")
  }

  @Test("pt.no_storage: a type that PyTorch lacks is refused by name, and nothing is left behind")
  func refused() throws {
    let byte: [UInt8] = [7]
    let layout = try SafetensorsLayout([.init(name: "w", type: .f4, shape: [2])])
    var writer = try SafetensorsWriter(creating: folder.file("a.safetensors"), layout: layout)
    try writer.write(byte.rawSpan)
    _ = try writer.finish()
    let done = try convert(folder.file("a.safetensors"), "-o", folder.file("b.pt"), "--json")
    #expect(done.code == 4)
    let error = try #require(done.json?["errors"]?.array?.first)
    #expect(error["code"] == "pt.no_storage")
    #expect(error["tensor"] == "w")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.safetensors"])
  }
}
