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
      ("gpt2", "gpt-2"), ("llama3", "llama-bpe"), ("smollm2", "smollm"), ("tekken", "tekken"),
      ("o200k", "gpt-4o"), ("deepseek3", "deepseek-v3"), ("deepseek", "deepseek-llm"),
      ("deepseek_coder", "deepseek-coder"), ("falcon", "falcon"),
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
  static func scored() -> GGUFTokenizerFields {
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
    return fields
  }

  @Test("merges SentencePiece tokens by score, with bytes for the rest")
  func sentencePiece() throws {
    let fields = Self.scored()
    let tokenizer = try Tokenizer(gguf: fields)
    #expect(try tokenizer.encode("abc") == [14])
    #expect(try tokenizer.encode("ab€") == [6, 10, 3, 4, 5])
    #expect(try tokenizer.encode("ab", addSpecialTokens: true) == [1, 6, 10])
    #expect(try tokenizer.encode("<s>a") == [1, 12])
    #expect(try tokenizer.decodeText([6, 10, 3, 4, 5]) == "ab€")
    #expect(tokenizer.bosID == 1)
    #expect(tokenizer.eosID == 2)
  }

  @Test(
    "TK-14: fields made of a tokenizer.json encode the reference's tokens",
    arguments: [
      "gpt2", "llama3", "smollm2", "o200k", "deepseek3", "deepseek", "deepseek_coder", "falcon",
    ])
  func fieldsOfJSON(name: String) throws {
    let tokenizer = try Sample.tokenizer(name)
    let rows = tokenizer.vocabularySize + 3
    let fields = try GGUFTokenizerFields(tokenizer, rows: rows)
    #expect(fields.approximations == [])
    #expect(fields.tokens.count == rows)
    #expect(fields.tokenTypes.suffix(3) == [5, 5, 5])
    #expect(fields.scores.isEmpty)
    let again = try Tokenizer(gguf: fields)
    #expect(try again.encode(Sample.bytes("mixed.txt")) == Sample.ids(name))
    let framed = try again.encode("ka", addSpecialTokens: true)
    #expect(try framed == tokenizer.encode("ka", addSpecialTokens: true))
  }

  @Test("TK-14: scores that give the merges of a SentencePiece model's tokenizer.json")
  func scoresOfMerges() throws {
    let source = try Tokenizer(tokenizerJSON: Array(Self.scored().tokenizerJSON().text().utf8))
    let fields = try GGUFTokenizerFields(source, rows: 20)
    #expect(fields.model == "llama")
    #expect(fields.approximations == [])
    #expect(fields.tokenTypes.prefix(7) == [2, 3, 3, 6, 6, 6, 1])
    #expect(fields.scores.count == 20)
    let again = try Tokenizer(gguf: fields)
    #expect(try again.encode("abc") == [14])
    #expect(try again.encode("ab€ abc<s>") == source.encode("ab€ abc<s>"))
  }

  @Test("TK-14: Gemma's treatment of spaces, line ends that are tokens, BOS in front")
  func gemma() throws {
    let tokenizer = try Sample.tokenizer("gemma")
    let fields = try GGUFTokenizerFields(tokenizer, rows: tokenizer.vocabularySize)
    #expect(fields.model == "llama")
    #expect(fields.addsSpacePrefix == false)
    #expect(fields.addsBOS == true)
    #expect(fields.approximations == [])
    #expect(fields.tokenTypes.count { $0 == 4 } == 2)
    let again = try Tokenizer(gguf: fields)
    #expect(try again.encode(Sample.bytes("mixed.txt")) == Sample.ids("gemma"))
    #expect(try again.encode("ka", addSpecialTokens: true).first == 1)
  }

  @Test("TK-14: says where the fields cannot say all")
  func approximations() throws {
    let place = "is found wherever its text stands"
    let qwen2 = try GGUFTokenizerFields(Sample.tokenizer("qwen2"), rows: 910)
    #expect(qwen2.pre == "qwen2")
    #expect(
      qwen2.approximations == ["éä", "<|user|>"].map { "the added token \"\($0)\" \(place)" })
    let olmo2 = try GGUFTokenizerFields(Sample.tokenizer("olmo2"), rows: 910)
    #expect(olmo2.pre == "dbrx")
    #expect(
      olmo2.approximations
        == ["ono", "<|im_start|>", "[MASK]"].map { "the added token \"\($0)\" \(place)" })
    let metaspace = try JSONValue(
      parsing: Array(
        #"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}"#
          .utf8))
    var document = try Self.scored().tokenizerJSON()
    if case .object(var object) = document {
      object["normalizer"] = .null
      object["pre_tokenizer"] = metaspace
      document = .object(object)
    }
    let mistral = try Tokenizer(tokenizerJSON: Array(document.text().utf8))
    #expect(
      try GGUFTokenizerFields(mistral, rows: 15).approximations
        == ["readers of GGUF put a space after special tokens too"])
  }

  @Test("TK-14 tokenizer.unsupported: what GGUF cannot say is refused by name")
  func unsayable() throws {
    func refusal(_ document: String, rows: Int = 3) throws -> TokenizerError? {
      let tokenizer = try Tokenizer(tokenizerJSON: Array(document.utf8))
      return #expect(throws: TokenizerError.self) { try GGUFTokenizerFields(tokenizer, rows: rows) }
    }
    let unigram = try Sample.tokenizer("unigram")
    #expect(throws: TokenizerError(.unsupported("model.type", "Unigram in GGUF"))) {
      try GGUFTokenizerFields(unigram, rows: 900)
    }
    let plain = #"{"model": {"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}"#
    #expect(
      try refusal(plain + "}")?.problem
        == .unsupported(
          "normalizer", "a way to mark spaces other than SentencePiece's"))
    let bytes = #", "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true}}"#
    #expect(
      try refusal(plain + bytes)?.problem
        == .unsupported(
          "pre_tokenizer", "splitting that no tokenizer.ggml.pre names"))
    let gpt2 = #", "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}}"#
    #expect(
      try refusal(plain + gpt2, rows: 2)?.problem
        == .unsupported(
          "model.vocab", "3 tokens for 2 rows"))
    // Scores would merge b with c as well, which the file does not.
    let partial = #"""
      {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
       "model": {"vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4, "abc": 5},
                 "merges": ["a b", "b c", "ab c"], "byte_fallback": true}}
      """#
    #expect(
      try refusal(partial, rows: 6)?.problem
        == .unsupported(
          "model.merges", "merges that are no scores'"))
  }

  @Test("refuses by name")
  func refuses() {
    var fields = GGUFTokenizerFields(model: "bert", tokens: [[0x61]])
    #expect(throws: TokenizerError(.unsupported("tokenizer.ggml.model", "\"bert\""))) {
      try Tokenizer(gguf: fields)
    }
    fields.model = "gpt2"
    #expect(throws: TokenizerError(.missing("tokenizer.ggml.pre"))) { try Tokenizer(gguf: fields) }
    fields.pre = "superbpe"
    #expect(throws: TokenizerError(.unsupported("tokenizer.ggml.pre", "\"superbpe\""))) {
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
