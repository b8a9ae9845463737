import ByteIO
import Checkpoint
import Foundation
import ModelGraph
import TestSupport
import Testing
import Tokenizers

@testable import Models

/// Paths that hold no model, or one that is not read, named for what they are.
@Suite("paths without a model")
struct WrongPathTests {
  let folder = TemporaryFolder()
  private let weights = Fixtures.path("golden/tiny-olmo2/source/model.safetensors")

  private func copy(_ source: String, to name: String) throws {
    try folder.write(Array(try Data(contentsOf: URL(filePath: source))), to: name)
  }

  private func error(_ path: String) -> (any DiagnosedError)? {
    do {
      _ = try OpenedModel(path)
      return nil
    } catch {
      return error as? any DiagnosedError
    }
  }

  @Test("an adapter is named with the model that it belongs to")
  func adapter() throws {
    try copy(weights, to: "adapter_model.safetensors")
    try folder.write(
      Array(#"{"base_model_name_or_path": "own/base"}"#.utf8), to: "adapter_config.json")
    let error = error(folder.path) as? ModelError
    #expect(error == ModelError(folder.path, .adapter(base: "own/base")))
    #expect(error?.hint?.contains("merge_and_unload") == true)
    try copy(Fixtures.path("golden/tiny-olmo2/source/config.json"), to: "config.json")
    #expect(self.error(folder.path)?.code == "model.adapter")
  }

  @Test(
    "another program's layout is told by its file's name",
    arguments: [
      ("consolidated.00.pth", OtherLayout.meta), ("consolidated.pth", .meta),
      ("lit_model.pth", .litGPT), ("model_3.pt", .torchtune), ("hf_model_0001_0.pt", .torchtune),
      ("pytorch_model_fsdp.bin", .fullyShardedParts), ("consolidated.safetensors", .mistral),
    ])
  func layouts(name: String, layout: OtherLayout) throws {
    let isTorch = !name.hasSuffix("safetensors")
    try copy(isTorch ? Fixtures.path("torch/checkpoint.pt") : weights, to: name)
    #expect(error(folder.path) as? ModelError == ModelError(folder.path, .otherLayout(layout)))
    #expect(!layout.hint.isEmpty)
  }

  @Test("torchtune's files are read where the model's configuration lies beside")
  func besideConfig() {
    #expect(OtherLayout("hf_model_0001_0.pt", hasConfig: true) == nil)
    #expect(OtherLayout("model_final.pt", hasConfig: false) == nil)
    #expect(OtherLayout("pytorch_model.bin", hasConfig: false) == nil)
  }

  @Test("a repository's name is no path")
  func repositoryName() throws {
    #expect(error("own/model-1.5B") as? ModelError == ModelError("own/model-1.5B", .repositoryName))
    #expect(error("own/model-1.5B")?.hint?.contains("hf download own/model-1.5B") == true)
    #expect(error("./own/model") is FileError)
    #expect(error("own/model/") is FileError)
    #expect(throws: ModelError("own/model", .repositoryName)) { try Tokenizer(at: "own/model") }
  }

  @Test("the root of a download cache leads to its snapshot")
  func cacheRoot() throws {
    try folder.write([], to: "snapshots/0123abcd/config.json")
    let snapshot = folder.path + "/snapshots/0123abcd"
    #expect(
      error(folder.path) as? ModelError
        == ModelError(folder.path, .cacheRoot(snapshots: [snapshot])))
    #expect(error(folder.path)?.hint == "give " + snapshot)
  }

  @Test(
    "what a failed download left is told from a malformed file",
    arguments: ["version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "<!DOCTYPE html><p>"])
  func failedDownload(content: String) throws {
    try copy(weights, to: "model.safetensors")
    let config = try folder.write(Array(content.utf8), to: "config.json")
    #expect(error(folder.path)?.code == "checkpoint.not_downloaded")
    #expect(error(folder.path)?.file == config)
    #expect(error(folder.path)?.hint != nil)
    try copy(Fixtures.path("golden/tiny-olmo2/source/config.json"), to: "config.json")
    try folder.write(Array(content.utf8), to: "tokenizer.json")
    #expect(throws: CheckpointError.self) { try Tokenizer(at: folder.path) }
    try folder.write(Array(content.utf8), to: "model.safetensors")
    #expect(["git lfs pull", "again"].contains { error(folder.path)?.hint?.contains($0) == true })
  }

  @Test("errors of a configuration name its file, and those of a GGUF file do not say config.json")
  func configurationFile() throws {
    try copy(weights, to: "model.safetensors")
    let config = try folder.write(
      Array(#"{"model_type": "olmo2", "hidden_size": "x"}"#.utf8), to: "config.json")
    #expect(error(folder.path)?.file == config)
    var bytes = Array(try Data(contentsOf: URL(filePath: Fixtures.path("gguf/llama.gguf"))))
    let key = Array("llama.block_count".utf8)
    let place = try #require(bytes.indices.first { bytes[$0...].starts(with: key) })
    bytes[place + key.count - 1] = UInt8(ascii: "_")
    let file = try folder.write(bytes, to: "m.gguf")
    let error = try #require(error(file) as? ModelGraphError)
    #expect(error.file == file)
    #expect(error.hint?.contains("config.json") == false)
  }

  @Test("TK-18: vocab.json and merges.txt give transformers' ids", arguments: ["gpt2", "qwen2"])
  func twoFiles(name: String) throws {
    struct Expected: Decodable {
      var text: String
      var ids: [Int32]
      var eos: Int32
    }
    let place = Fixtures.path("tokenizers/two_files/" + name)
    let expected = try JSONDecoder().decode(
      Expected.self, from: Data(contentsOf: URL(filePath: place + "/expected.json")))
    let tokenizer = try Tokenizer(at: place)
    #expect(try tokenizer.encode(expected.text, addSpecialTokens: true) == expected.ids)
    #expect(tokenizer.eosID == expected.eos)
    try copy(place + "/vocab.json", to: "vocab.json")
    try copy(place + "/merges.txt", to: "merges.txt")
    // Nothing says how text is split.
    #expect(throws: ModelError(folder.file("vocab.json"), .otherTokenizer("vocab.json"))) {
      try Tokenizer(at: folder.path)
    }
    try folder.write(Array(#"{"model_type": "\#(name)"}"#.utf8), to: "config.json")
    #expect(try Tokenizer(at: folder.path).encode(expected.text) == expected.ids)
    try folder.write(
      Array(#"{"tokenizer_class": "LlamaTokenizer"}"#.utf8), to: "tokenizer_config.json")
    #expect(throws: ModelError.self) { try Tokenizer(at: folder.path) }
  }

  @Test(
    "TK-18: a tokenizer in another form is named with how to convert it",
    arguments: [("tokenizer.model", "IQ== 0\nIg== 1\n"), ("tekken.json", "{}")])
  func otherTokenizer(name: String, content: String) throws {
    let path = try folder.write(Array(content.utf8), to: name)
    #expect(throws: ModelError(path, .otherTokenizer(name))) { try Tokenizer(at: folder.path) }
    #expect(ModelError(path, .otherTokenizer(name)).hint?.contains("save_pretrained") == true)
  }
}
