import ByteIO
import Foundation
import JSON
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Checkpoint

@Suite("checkpoint")
struct CheckpointTests {
  let folder = TemporaryFolder()

  /// A safetensors file of one-byte tensors with values 1, 2, ….
  static func weights(_ names: [TensorName], metadata: [(key: String, value: String)] = []) throws
    -> [UInt8]
  {
    let tensors = names.map { SafetensorsLayout.Tensor(name: $0, type: .u8, shape: [1]) }
    let layout = try SafetensorsLayout(tensors, metadata: metadata)
    return layout.header + names.indices.map { UInt8($0 + 1) }
  }

  static func index(_ map: some Sequence<(String, String)>) -> [UInt8] {
    let members = map.map { JSONObject.Member(key: $0.0, value: .string($0.1)) }
    return Array(
      JSONValue.object(["weight_map": .object(JSONObject(members))]).text().utf8)
  }

  func failure(_ path: String) -> (any DiagnosedError)? {
    do {
      _ = try Checkpoint.open(path)
      return nil
    } catch { return error as? any DiagnosedError }
  }

  @Test("opens a Hugging Face folder: tensors, config, side files")
  func opensFolder() throws {
    let checkpoint = try Checkpoint.open(Fixtures.path("golden/tiny-llama/source"))
    #expect(checkpoint.format == .safetensors && checkpoint.layout == .folder)
    #expect(checkpoint.config?["model_type"]?.string == "llama")
    #expect(checkpoint.metadata == ["format": "pt"])
    #expect(checkpoint.sideFiles.map(\.name) == ["config.json", "generation_config.json"])
    #expect(checkpoint.inputs == [Fixtures.path("golden/tiny-llama/source/model.safetensors")])
    #expect(checkpoint.tensors.allSatisfy { checkpoint.record($0.name) == $0 })
    #expect(checkpoint.record("none") == nil)
  }

  @Test("opens shards with their index: as a folder, by the index, or one alone")
  func opensShards() throws {
    let path = Fixtures.path("golden/tiny-llama3-rope/source")
    let whole = try Checkpoint.open(path + "/")
    #expect(whole.path == path)
    #expect(
      whole.inputs == ["model.safetensors.index.json"].map { path + "/" + $0 }
        + (1...3).map { "\(path)/model-0000\($0)-of-00003.safetensors" })
    let byIndex = try Checkpoint.open(path + "/model.safetensors.index.json")
    #expect(byIndex.tensors == whole.tensors)
    #expect(byIndex.config == whole.config && whole.config != nil)
    let alone = try Checkpoint.open(path + "/model-00002-of-00003.safetensors")
    #expect(alone.layout == .file && alone.config == nil && alone.sideFiles.isEmpty)
    #expect(alone.tensors.allSatisfy { whole.record($0.name) == $0 })
    #expect(alone.tensors.count < whole.tensors.count)
  }

  @Test("reads bytes, regions and floats by name")
  func reads() throws {
    let checkpoint = try Checkpoint.open(
      folder.write(try Self.weights(["a", "b"]), to: "w.safetensors"))
    var byte: [UInt8] = [0]
    var span = byte.mutableRawSpan
    try checkpoint.read("b", at: 0, into: &span)
    #expect(byte == [2])
    #expect(try checkpoint.region("a")?.bytes(0..<1) == [1])
    #expect(checkpoint.region("c") == nil)
    #expect(throws: CheckpointError(.tensorMissing, path: checkpoint.path, tensor: "c")) {
      var span = byte.mutableRawSpan
      try checkpoint.read("c", at: 0, into: &span)
    }
  }

  @Test("a file is told by its first bytes, not by its ending")
  func magic() throws {
    let checkpoint = try Checkpoint.open(folder.write(try Self.weights(["a"]), to: "w.bin"))
    #expect(checkpoint.format == .safetensors)
    #expect(failure(try folder.write([], to: "e.safetensors"))?.code == "st.too_short")
    #expect(
      failure(try folder.write(Array("{\"a\":1}".utf8), to: "x.json"))
        as? CheckpointError
        == CheckpointError(.unknownFormat(nil), path: folder.file("x.json")))
    let lfs = Array("version https://git-lfs.github.com/spec/v1\n".utf8)
    #expect(
      failure(try folder.write(lfs, to: "l")) as? CheckpointError
        == CheckpointError(.unknownFormat(.gitLFSPointer), path: folder.file("l")))
  }

  @Test("st.not_safetensors: what is called safetensors must be it")
  func wrongEnding() throws {
    for bytes in [Array("GGUF\u{3}\0\0\0".utf8), [0x80, 2, 0x8A, 10, 1, 2, 3, 4]] {
      #expect(failure(try folder.write(bytes, to: "x.safetensors"))?.code == "st.not_safetensors")
    }
  }

  @Test("io.missing, checkpoint.no_weights: what is not there")
  func missing() throws {
    #expect(failure(folder.file("none"))?.code == "io.missing")
    #expect(failure(folder.path)?.code == "checkpoint.no_weights")
    try folder.write(Array("{}".utf8), to: "config.json")
    #expect(failure(folder.path)?.code == "checkpoint.no_weights")
  }

  @Test("config.json is parsed strictly")
  func config() throws {
    try folder.write(try Self.weights(["a"]), to: "model.safetensors")
    #expect(try Checkpoint.open(folder.path).config == nil)
    for (text, code) in [("[]", "config.not_object"), ("{\"a\":1,\"a\":2}", "json.duplicate_key")] {
      try folder.write(Array(text.utf8), to: "config.json")
      #expect(failure(folder.path)?.code == code)
      #expect(failure(folder.path)?.file == folder.file("config.json"))
    }
  }

  @Test("everything that holds no weights is a side file; folders and hidden files are not")
  func sideFiles() throws {
    try folder.write(try Self.weights(["a"]), to: "model.safetensors")
    for name in [
      "LICENSE", "README.md", "tokenizer.json", ".gitattributes", "original/x", "a.onnx",
    ] {
      try folder.write([1], to: name)
    }
    try folder.write([1], to: "outside/secret")
    let inner = folder.file("model")
    try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
    try folder.write(try Self.weights(["a"]), to: "model/model.safetensors")
    try FileManager.default.createSymbolicLink(
      atPath: inner + "/LICENSE", withDestinationPath: folder.file("outside/secret"))
    #expect(
      try Checkpoint.open(folder.path).sideFiles.map(\.name) == [
        "LICENSE", "README.md", "tokenizer.json",
      ])
    let linked = try Checkpoint.open(inner)
    #expect(linked.sideFiles.isEmpty)
    #expect(linked.warnings.map(\.code) == ["checkpoint.link_skipped"])
  }

  @Test("the members of an archive are read in place")
  func members() throws {
    let region = ByteRegion(try Self.weights(["a"]), path: "p.tar/model.safetensors")
    let config = ByteRegion(Array("{\"k\":1}".utf8), path: "p.tar/config.json")
    let files = [("model.safetensors", region), ("config.json", config), ("trainer/x", config)]
    let checkpoint = try Checkpoint(folder: CheckpointFolder(path: "p.tar", files: files))
    #expect(checkpoint.config == ["k": 1])
    #expect(checkpoint.sideFiles.map(\.name) == ["config.json"])
    #expect(checkpoint.inputs == ["p.tar/model.safetensors"])
  }
}
