import ByteIO
import Foundation
import JSON
import TestSupport
import Testing
import Tokenizers

/// The tokenizers of `fixtures/tokenizers`, written by `Scripts/make_tokenizer_fixtures.py`.
enum Sample {
  static let all = [
    "gpt2", "llama3", "qwen2", "smollm2", "olmo2", "llama2", "mistral", "gemma", "unigram",
    "unigram_plain", "tekken", "o200k", "cl100k", "deepseek3", "deepseek", "deepseek_coder",
    "falcon", "qwen35",
    "possessive",
  ]

  static func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: Fixtures.path("tokenizers/" + name))))
  }

  static func tokenizer(_ name: String) throws -> Tokenizer {
    try Tokenizer(tokenizerJSON: bytes(name + ".json"), path: name + ".json")
  }

  /// Tokens of `mixed.txt` by the reference implementation.
  static func ids(_ name: String) throws -> [Int32] {
    let bytes = try bytes(name + ".ids")
    return stride(from: 0, to: bytes.count, by: 2).map {
      Int32(bytes[$0]) | Int32(bytes[$0 + 1]) << 8
    }
  }
}

extension Sample {
  /// SHA-256 of the text that the reference decodes from its tokens.
  static func decodedDigest(_ name: String) throws -> String? {
    String(decoding: try bytes("decoded.sha256"), as: UTF8.self)
      .split(separator: "\n").first { $0.hasSuffix("  " + name) }.map { String($0.prefix(64)) }
  }
}

@Suite("Tokenizer")
struct TokenizersTests {
  @Test(
    "TK-4, TK-5, TK-6, TK-7, TK-8: gives the reference's tokens of the mixed text",
    arguments: Sample.all)
  func encodes(name: String) throws {
    let got = try Sample.tokenizer(name).encode(Sample.bytes("mixed.txt"))
    let want = try Sample.ids(name)
    let difference = zip(got, want).enumerated().first { $1.0 != $1.1 }
    #expect(difference == nil)
    #expect(got.count == want.count)
  }

  @Test("TK-9: gives the reference's text of the tokens", arguments: Sample.all)
  func decodes(name: String) throws {
    let got = try Sample.tokenizer(name).decodeText(Sample.ids(name))
    #expect("\(SHA256.digest(of: Array(got.utf8)))" == (try Sample.decodedDigest(name)))
  }

  @Test("streams the same bytes as it decodes at once", arguments: Sample.all)
  func streams(name: String) throws {
    let tokenizer = try Sample.tokenizer(name)
    let ids = try Sample.ids(name).prefix(4000)
    var stream = StreamingDecoder(tokenizer)
    var bytes: [UInt8] = []
    for id in ids { bytes += try stream.append(id) }
    #expect(bytes == (try tokenizer.decode(ids)))
  }

  @Test("TK-10: special tokens stand around a text on request, and are left out of decoded text")
  func specialTokens() throws {
    let tokenizer = try Sample.tokenizer("llama2")
    let plain = try tokenizer.encode("ka to")
    let framed = try tokenizer.encode("ka to", addSpecialTokens: true)
    #expect(framed == [1] + plain + [2])
    #expect(try tokenizer.decodeText(framed) == "<s> ka to</s>")
    #expect(try tokenizer.decodeText(framed, skipSpecial: true) == "ka to")
    #expect(tokenizer.id(of: "</s>") == 2)
    #expect(try tokenizer.token(2) == Array("</s>".utf8))
  }

  @Test("takes special tokens and the chat template from tokenizer_config.json")
  func config() throws {
    var tokenizer = try Sample.tokenizer("llama2")
    try tokenizer.apply(config: [
      "bos_token": "<s>", "eos_token": ["content": "</s>"], "pad_token": .null,
      "chat_template": [["name": "default", "template": "{{ x }}"]],
    ])
    #expect(tokenizer.bosID == 1)
    #expect(tokenizer.eosID == 2)
    #expect(tokenizer.paddingID == nil)
    #expect(tokenizer.chatTemplate == "{{ x }}")
    #expect(throws: TokenizerError(.unknownToken("eos_token", token: "<eos>"))) {
      try tokenizer.apply(config: ["eos_token": "<eos>"])
    }
  }

  @Test("gives nothing for nothing", arguments: Sample.all)
  func empty(name: String) throws {
    let tokenizer = try Sample.tokenizer(name)
    #expect(try tokenizer.encode("") == [])
    #expect(try tokenizer.decode([]) == [])
  }

  @Test("the example of formats/tokenizer-json.md")
  func example() throws {
    let ids: [Int32] = [42, 85, 8, 84, 205, 18, 19, 205, 463, 107, 183]
    let tokenizer = try Sample.tokenizer("smollm2")
    #expect(try tokenizer.encode("It's 12 €\n") == ids)
    #expect(try tokenizer.decodeText(ids) == "It's 12 €\n")
    #expect(try tokenizer.token(463) == Array("âĤ".utf8))
  }

  @Test("malformed UTF-8 counts as replacement characters, one a maximal part")
  func malformed() throws {
    let tokenizer = try Sample.tokenizer("gpt2")
    let bytes: [UInt8] = [0x61, 0xE2, 0x82, 0x62, 0xF0, 0x9F, 0x98, 0xC0, 0xAF, 0xED, 0xA0, 0x80]
    let text = "a\u{FFFD}b" + String(repeating: "\u{FFFD}", count: 6)
    #expect(try tokenizer.encode(bytes) == tokenizer.encode(text))
  }

  @Test("the special tokens by the names that chat templates use")
  func templateVariables() throws {
    var tokenizer = try Sample.tokenizer("llama2")
    try tokenizer.apply(config: ["bos_token": "<s>", "eos_token": "</s>"])
    #expect(tokenizer.templateVariables == ["bos_token": "<s>", "eos_token": "</s>"])
  }
}
