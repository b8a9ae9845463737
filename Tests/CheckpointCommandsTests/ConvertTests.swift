import ArgumentParser
import ByteIO
import Foundation
import GGUF
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt convert")
struct ConvertTests {
  let folder = TemporaryFolder()
  let llama = Fixtures.path("golden/tiny-llama/source")
  let gguf = Fixtures.path("gguf/llama.gguf")

  private func convert(_ arguments: String...) throws -> Outcome {
    try outcome(Convert.self, arguments)
  }

  /// Exit code of `ckpt diff`: 0 when names, shapes, types and bytes are equal.
  private func diff(_ a: String, _ b: String) throws -> Int32 {
    try outcome(Diff.self, [a, b, "--json"]).code
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(filePath: folder.file(name)))
  }

  @Test("an ending of another program's files is no folder's name")
  func otherFormats() throws {
    for name in ["a.onnx", "b.H5", "c.tar", "d.foo"] {
      #expect(throws: (any Error).self, "\(name)") {
        try Convert.parse([llama, "-o", folder.file(name)])
      }
    }
    for name in ["Llama-3.2", "Llama-3.1-8B", "Qwen2.5-0.5b", ".hidden"] {
      #expect(try convert(llama, "-o", folder.file(name), "--json").code == 0, "\(name)")
    }
    #expect(try convert(llama, "-o", folder.file("a.onnx"), "--to", "folder").code == 0)
  }

  @Test("a folder to shards, to one file, and back: equal tensors, all side files")
  func shards() throws {
    let done = try convert(llama, "-o", folder.file("a"), "--max-shard-size", "40KB", "--json")
    #expect(done.code == 0)
    let names = try #require(done.json?["files"]?.array?.compactMap { $0["name"]?.string })
    #expect(names.contains("model.safetensors.index.json"))
    #expect(names.contains("generation_config.json"))
    #expect(names.contains { $0.hasPrefix("model-00002-of-") })
    #expect(try diff(llama, folder.file("a")) == 0)
    #expect(try convert(folder.file("a"), "-o", folder.file("b.safetensors")).code == 0)
    #expect(try diff(llama, folder.file("b.safetensors")) == 0)
    #expect(try convert(llama, "-o", folder.file("c")).code == 0)
    #expect(try bytes("c/model.safetensors") == bytes("b.safetensors"))
    let config = try JSONValue(parsing: [UInt8](bytes("c/config.json")), path: "")
    let source = try Data(contentsOf: URL(filePath: llama + "/config.json"))
    #expect(try config == JSONValue(parsing: [UInt8](source), path: ""))
  }

  @Test("GGUF to a folder and back is the same model; twice gives the same bytes")
  func fromGGUF() throws {
    #expect(try convert(gguf, "-o", folder.file("hf")).code == 0)
    #expect(try diff(gguf, folder.file("hf")) == 1)  // Q8_0 against F32: another type
    for name in ["x.gguf", "y.gguf"] {
      #expect(try convert(folder.file("hf"), "-o", folder.file(name)).code == 0)
    }
    #expect(try bytes("x.gguf") == bytes("y.gguf"))
    #expect(try diff(folder.file("hf"), folder.file("x.gguf")) == 0)
    // The values lie on Q8_0's grid already.
    let again = try convert(folder.file("x.gguf"), "-o", folder.file("z.gguf"), "--dtype", "q8_0")
    #expect(again.code == 0)
    let distance = try outcome(Diff.self, [gguf, folder.file("z.gguf"), "--json"])
    #expect(distance.code == 0)
    #expect(try convert(gguf, "-o", folder.file("w.gguf")).code == 0)
    let copy = try GGUFFile(ByteRegion(path: folder.file("w.gguf")))
    let source = try GGUFFile(ByteRegion(path: gguf))
    #expect(copy["tokenizer.ggml.tokens"] == source["tokenizer.ggml.tokens"])
    #expect(copy["tokenizer.ggml.merges"]?.array?.count == 2)
  }

  @Test("--dtype casts floating-point tensors and tells the configuration")
  func cast() throws {
    #expect(try convert(llama, "-o", folder.file("f"), "--dtype", "f16").code == 0)
    let config = try JSONValue(parsing: [UInt8](bytes("f/config.json")), path: "")
    #expect(config["torch_dtype"] == "float16")
    let report = try outcome(Inspect.self, [folder.file("f"), "--json"])
    let types = report.json?["types"]?.array?.compactMap { $0["dtype"]?.string }
    #expect(types == ["F16"])
  }

  @Test("--tensor takes a choice, --rename changes names")
  func choice() throws {
    let path = folder.file("q.safetensors")
    let done = try convert(
      llama, "-o", path, "--tensor", "*.q_proj.weight", "--rename", "model.layers.=h.", "--rename",
      "self_attn=attn")
    #expect(done.code == 0)
    let report = try outcome(Inspect.self, [path, "--json"])
    let names = try #require(report.json?["tensors"]?.array?.compactMap { $0["name"]?.string })
    #expect(names.contains("h.0.attn.q_proj.weight"))
    #expect(names.allSatisfy { $0.hasSuffix(".attn.q_proj.weight") })
  }

  @Test("cast.overflow: refused, then allowed; nothing is left behind")
  func overflow() throws {
    let source = folder.file("big.safetensors")
    let header = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    var file = [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8)
    for value in [Float(1e6), 1] {
      file += withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
    }
    try folder.write(file, to: "big.safetensors")
    let path = folder.file("small.safetensors")
    let refused = try convert(source, "-o", path, "--dtype", "f16", "--json")
    #expect(refused.code == 1)
    let error = refused.json?["errors"]?.array?.first
    #expect(error?["code"]?.string == "cast.overflow")
    #expect(error?["tensor"]?.string == "a")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["big.safetensors"])
    #expect(try convert(source, "-o", path, "--dtype", "f16", "--allow-overflow").code == 0)
  }

  @Test("an output that exists, and an input that would be replaced, are refused with 6")
  func exists() throws {
    let path = try folder.write([1], to: "x.safetensors")
    #expect(try convert(llama, "-o", path).code == 6)
    #expect(try convert(llama, "-o", path, "--force").code == 0)
    #expect(try convert(path, "-o", path, "--force").code == 6)
  }

  static let usage: [[String]] = [
    ["-o", "x.pt", "--max-shard-size", "1GB"], ["-o", "x.gguf", "--tensor", "a"],
    ["-o", "x", "--dtype", "q8_0"],
    ["-o", "x", "--dtype", "q3"], ["-o", "x", "--rename", "a"],
    ["-o", "x.safetensors", "--max-shard-size", "1GB"],
  ]

  @Test("usage: impossible combinations", arguments: usage)
  func refusesUsage(_ arguments: [String]) {
    #expect(throws: (any Error).self) { _ = try Convert.parse(["model"] + arguments) }
  }

  @Test("model.no_config: GGUF needs to know the model")
  func noConfig() throws {
    let weights = llama + "/model.safetensors"
    let done = try convert(weights, "-o", folder.file("x.gguf"), "--json")
    #expect(done.json?["errors"]?.array?.first?["code"]?.string == "model.no_config")
  }
}
