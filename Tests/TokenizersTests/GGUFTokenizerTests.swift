import ByteIO
import JSON
import Testing
import Tokenizers

@Suite("Tokenizer of a GGUF file")
struct GGUFTokenizerTests {
  /// Fields that say the same as a fixture's model.
  static func fields(_ name: String, model: String, pre: String?) throws -> GGUFTokenizerFields {
    let json = try JSONValue(parsing: Sample.bytes(name + ".json"))
    let members = json["model"]?["vocab"]?.object?.members ?? []
    let tokens = members.sorted { ($0.value.integer ?? 0) < ($1.value.integer ?? 0) }
    var fields = GGUFTokenizerFields(
      model: model, pre: pre, tokens: tokens.map { Array($0.key.utf8) })
    fields.tokenTypes = tokens.map { _ in 1 }
    for added in json["added_tokens"]?.array ?? [] {
      if let id = added["id"]?.integer { fields.tokenTypes[id] = 3 }
    }
    fields.merges = (json["model"]?["merges"]?.array ?? []).map { merge in
      Array((merge.array ?? []).compactMap(\.string).joined(separator: " ").utf8)
    }
    return fields
  }

  @Test(
    "TK-12: encodes as the tokenizer.json of the same model",
    arguments: [
      ("gpt2", "gpt-2"), ("llama3", "llama-bpe"), ("smollm2", "smollm"),
    ])
  func bytePair(name: String, pre: String) throws {
    let fields = try Self.fields(name, model: "gpt2", pre: pre)
    #expect(try Tokenizer(gguf: fields).encode(Sample.bytes("mixed.txt")) == Sample.ids(name))
  }

  @Test("its tokenizer.json reads back and encodes the same")
  func writesJSON() throws {
    var fields = try Self.fields("llama3", model: "gpt2", pre: "llama-bpe")
    fields.bosID = 0
    let text = try fields.tokenizerJSON().text()
    let tokenizer = try Tokenizer(tokenizerJSON: Array(text.utf8))
    #expect(try tokenizer.encode(Sample.bytes("mixed.txt")) == Sample.ids("llama3"))
    #expect(try tokenizer.encode("a", addSpecialTokens: true).first == 0)
    #expect(
      try fields.tokenizerConfig()["bos_token"] == .string("<|begin_of_text|>"))
  }

  /// Scores that order tokens as SentencePiece's: the longer word was worth joining later.
  @Test("merges SentencePiece tokens by score, with bytes for the rest")
  func sentencePiece() throws {
    let spelled = ["<unk>", "<s>", "</s>", "<0xE2>", "<0x82>", "<0xAC>"]
    let pieces = ["▁", "a", "b", "c", "ab", "bc", "▁a", "abc", "▁abc"]
    var fields = GGUFTokenizerFields(
      model: "llama", tokens: (spelled + pieces).map { Array($0.utf8) })
    fields.tokenTypes = [2, 3, 3, 6, 6, 6] + pieces.map { _ in 1 }
    // bc joins before ab does; then a and bc make abc.
    fields.scores = [0, 0, 0, 0, 0, 0, -9, -9, -9, -9, -2, -1, -5, -3, -4]
    fields.bosID = 1
    fields.eosID = 2
    fields.unknownID = 0
    let tokenizer = try Tokenizer(gguf: fields)
    #expect(try tokenizer.encode("abc") == [14])
    #expect(try tokenizer.encode("ab€") == [6, 10, 3, 4, 5])
    #expect(try tokenizer.encode("ab", addSpecialTokens: true) == [1, 6, 10])
    #expect(try tokenizer.encode("<s>a") == [1, 12])
    #expect(try tokenizer.decodeText([6, 10, 3, 4, 5]) == "ab€")
    #expect(tokenizer.bosID == 1)
    #expect(tokenizer.eosID == 2)
  }

  @Test("refuses by name")
  func refuses() {
    var fields = GGUFTokenizerFields(model: "bert", tokens: [[0x61]])
    #expect(throws: TokenizerError(.unsupported("tokenizer.ggml.model", "\"bert\""))) {
      try Tokenizer(gguf: fields)
    }
    fields.model = "gpt2"
    #expect(throws: TokenizerError(.missing("tokenizer.ggml.pre"))) { try Tokenizer(gguf: fields) }
    fields.pre = "tekken"
    #expect(throws: TokenizerError(.unsupported("tokenizer.ggml.pre", "\"tekken\""))) {
      try Tokenizer(gguf: fields)
    }
    fields.tokenTypes = [1, 1]
    #expect(
      throws: TokenizerError(
        .unequalCounts("tokenizer.ggml.tokens", 1, "tokenizer.ggml.token_type", 2))
    ) { try Tokenizer(gguf: fields) }
    fields = GGUFTokenizerFields(model: "llama", tokens: [[0xFF]])
    #expect(throws: TokenizerError(.invalid("tokenizer.ggml.tokens[0]", wanted: "UTF-8"))) {
      try Tokenizer(gguf: fields)
    }
  }
}
