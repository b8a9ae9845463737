import ByteIO
import Checkpoint
import GGUF
import TestSupport
import Testing
import Tokenizers

@testable import Models

@Suite("tokenizer of a model")
struct TokenizerInputTests {
  let folder = TemporaryFolder()

  @Test("TK-12: comes from a GGUF file of a vocabulary alone, at the file or in its folder")
  func vocabularyFile() throws {
    let tokens = ["<|end|>", "H", "i", "Hi", "Ġ", "Ċ"]
    let layout = try GGUFLayout(
      [],
      metadata: [
        ("general.architecture", .string("llama")),
        ("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.pre", .string("smollm")),
        ("tokenizer.ggml.tokens", .array(GGUFArray(strings: tokens))),
        ("tokenizer.ggml.token_type", .array(GGUFArray([3, 1, 1, 1, 1, 1] as [Int32]))),
        ("tokenizer.ggml.merges", .array(GGUFArray(strings: ["H i"]))),
        ("tokenizer.ggml.eos_token_id", .uint32(0)),
        ("tokenizer.chat_template", .string("{{ eos_token }}")),
      ])
    let path = folder.file("vocabulary.gguf")
    var writer = try GGUFWriter(creating: path, layout: layout)
    _ = try writer.finish()
    for place in [path, folder.path] {
      let tokenizer = try Tokenizer(at: place)
      #expect(try tokenizer.encode("Hi Hi<|end|>") == [3, 4, 3, 0])
      #expect(tokenizer.eosID == 0)
      #expect(tokenizer.bosID == nil)
      #expect(tokenizer.chatTemplate == "{{ eos_token }}")
    }
    let checkpoint = try Checkpoint.open(path).withTokenizerFiles().checkpoint
    #expect(checkpoint.sideFiles.map(\.name) == ["tokenizer.json", "tokenizer_config.json"])
    let written = try #require(try Tokenizer(of: checkpoint))
    #expect(try written.encode("Hi Hi<|end|>") == [3, 4, 3, 0])
    #expect(written.chatTemplate == "{{ eos_token }}")
  }

  @Test("takes the configuration and the template file beside tokenizer.json")
  func sideFiles() throws {
    try folder.write(
      Array(#"{"model": {"vocab": {"a": 0, "<s>": 1}, "merges": []}}"#.utf8),
      to: "tokenizer.json")
    try folder.write(
      Array(#"{"bos_token": "<s>", "chat_template": "old"}"#.utf8), to: "tokenizer_config.json")
    #expect(try Tokenizer(at: folder.path).chatTemplate == "old")
    try folder.write(Array("new".utf8), to: "chat_template.jinja")
    let tokenizer = try Tokenizer(at: folder.path)
    #expect(tokenizer.bosID == 1)
    #expect(tokenizer.chatTemplate == "new")
    #expect(try Tokenizer(at: folder.file("tokenizer.json")).encode("aa") == [0, 0])
  }

  @Test("TK-20: comes from a tokenizer.model, alone or in its folder")
  func sentencePiece() throws {
    let sample = Fixtures.path("sentencepiece/bpe_bytes.model")
    let bytes = try ByteRegion(path: sample).contents(limit: 1 << 20)
    let path = try folder.write(bytes, to: "tokenizer.model")
    #expect(try Tokenizer(at: path).encode("<s>a").contains(1) == false)
    #expect(try Tokenizer(at: folder.path).encode("<s>a").first == 1)
    try folder.write(
      Array(#"{"bos_token": "<s>", "add_bos_token": true, "chat_template": "x"}"#.utf8),
      to: "tokenizer_config.json")
    let tokenizer = try Tokenizer(at: folder.path)
    #expect(try tokenizer.encode("a", addSpecialTokens: true).first == 1)
    #expect(try tokenizer.encode("<s>a").first == 1)
    #expect(tokenizer.chatTemplate == "x")
    try folder.write(Array(#"{"model_type": "t5"}"#.utf8), to: "config.json")
    #expect(throws: ModelError(path, .otherTokenizer("tokenizer.model"))) {
      try Tokenizer(at: folder.path)
    }
  }

  @Test("TK-21: a tokenizer.json is written in the place of a tokenizer.model")
  func writtenSentencePiece() throws {
    let sample = Fixtures.path("sentencepiece/bpe_bytes.model")
    let config =
      #"{"tokenizer_class": "LlamaTokenizer", "legacy": false, "bos_token": "<s>", "#
      + #""unk_token": "<unk>", "add_bos_token": true, "model_max_length": 7}"#
    var checkpoint = try Checkpoint.open(Fixtures.path("tiny-arithmetic"))
    checkpoint.sideFiles = [
      .init(name: "tokenizer.model", region: try ByteRegion(path: sample)),
      .init(
        name: "tokenizer_config.json",
        region: ByteRegion(Array(config.utf8), path: "tokenizer_config.json")),
    ]
    let before = try #require(try Tokenizer(of: checkpoint))
    let written = try checkpoint.withWrittenTokenizer()
    #expect(written.sideFiles.map(\.name) == ["tokenizer.json", "tokenizer_config.json"])
    let after = try #require(try Tokenizer(of: written))
    for text in ["<s> the loop", " a", "a  b</s> c"] {
      #expect(
        try after.encode(text, addSpecialTokens: true)
          == before.encode(text, addSpecialTokens: true))
    }
    let text = try written.sideFiles[1].region.contents(limit: 1 << 16)
    #expect(String(decoding: text, as: UTF8.self).contains("\"model_max_length\": 7"))
    #expect(String(decoding: text, as: UTF8.self).contains("PreTrainedTokenizerFast"))
  }
}
