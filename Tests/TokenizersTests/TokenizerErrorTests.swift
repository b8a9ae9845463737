import ByteIO
import JSON
import Testing
import Tokenizers

/// A tokenizer.json that breaks one rule, and what is said of it.
struct Rejected: CustomTestStringConvertible, Sendable {
  var testDescription: String
  var json: String
  var problem: TokenizerError.Problem

  /// A small byte-pair tokenizer with some members replaced.
  static func bpe(
    _ description: String, vocabulary: String = #"{"a": 0, "b": 1, "ab": 2}"#,
    merges: String = #"["a b"]"#, model: String = "", root: String = "",
    _ problem: TokenizerError.Problem
  ) -> Rejected {
    Rejected(
      testDescription: description,
      json:
        #"{"model": {"type": "BPE", "vocab": \#(vocabulary), "merges": \#(merges)\#(model)}\#(root)}"#,
      problem: problem)
  }
}

@Suite("Malformed tokenizer.json")
struct TokenizerErrorTests {
  static let rejected: [Rejected] = [
    .init(testDescription: "no model", json: "{}", problem: .missing("model")),
    .init(
      testDescription: "WordPiece", json: #"{"model": {"type": "WordPiece"}}"#,
      problem: .unsupported("model.type", "WordPiece")),
    .init(
      testDescription: "not JSON", json: "[",
      problem: .json(JSONError(.unexpectedEnd, at: 1, path: "t.json"))),
    .bpe("id used twice", vocabulary: #"{"a": 0, "b": 0}"#, .duplicateID(0, "a", "b")),
    .bpe(
      "hole in the ids", vocabulary: #"{"a": 0, "b": 1, "ab": 4}"#,
      .missingID(2, vocabularySize: 5)),
    .bpe(
      "huge id", vocabulary: #"{"a": 0, "ab": 9000000000000000000}"#,
      .missingID(1, vocabularySize: 9_000_000_000_000_000_001)),
    .bpe(
      "negative id", vocabulary: #"{"a": -1}"#,
      .invalid("model.vocab[\"a\"]", wanted: "a token id")),
    .bpe("merge of nothing", merges: #"["a c"]"#, .unknownMergeToken(merge: 0, token: "ac")),
    .bpe(
      "merge of three", merges: #"["a b", "a b a"]"#,
      .invalid("model.merges[1]", wanted: "two tokens")),
    .bpe(
      "merge of numbers", merges: "[[1, 2]]", .invalid("model.merges[0]", wanted: "two tokens")),
    .bpe(
      "unknown token absent", model: #", "unk_token": "<unk>""#,
      .unknownToken("model.unk_token", token: "<unk>")),
    .bpe("dropout", model: #", "dropout": 0.1"#, .unsupported("model.dropout", "random dropout")),
    .bpe(
      "word suffix", model: #", "end_of_word_suffix": "</w>""#,
      .unsupported("model.end_of_word_suffix", #"a marker "</w>""#)),
    .bpe(
      "unknown normalizer", root: #", "normalizer": {"type": "Nmt"}"#,
      .unsupported("normalizer", "Nmt")),
    .bpe(
      "unknown expression",
      root: #", "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "#
        + #""pattern": {"Regex": "a+(?=b)"}, "behavior": "Isolated"}]}"#,
      .unsupported("pre_tokenizer.pretokenizers[0].pattern.Regex", "\"a+(?=b)\"")),
    .bpe(
      "step after bytes",
      root: #", "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, "#
        + #"{"type": "Metaspace", "replacement": "_"}]}"#,
      .unsupported("pre_tokenizer.pretokenizers[1]", "Metaspace after ByteLevel")),
    .bpe(
      "unknown behaviour",
      root: #", "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "#
        + #""behavior": "Kept"}"#,
      .invalid(
        "pre_tokenizer.behavior",
        wanted: "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous")),
    .bpe(
      "empty pattern",
      root: #", "normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "x"}"#,
      .invalid("normalizer.pattern.String", wanted: "a text of at least one character")),
    .bpe("unknown decoder", root: #", "decoder": {"type": "CTC"}"#, .unsupported("decoder", "CTC")),
    .bpe(
      "added token with another's id", root: #", "added_tokens": [{"id": 1, "content": "<x>"}]"#,
      .duplicateID(1, "b", "<x>")),
    .bpe(
      "added token under another id", root: #", "added_tokens": [{"id": 3, "content": "b"}]"#,
      .duplicateToken("b")),
    .bpe(
      "added token beyond the ids", root: #", "added_tokens": [{"id": 7, "content": "<x>"}]"#,
      .missingID(3, vocabularySize: 8)),
    .bpe(
      "template with an id out of range",
      root: #", "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": "#
        + #"{"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"ids": [9]}}}"#,
      .idOutOfRange(9, vocabularySize: 3)),
    .init(
      testDescription: "score that is none",
      json: #"{"model": {"type": "Unigram", "vocab": [["a", "b"]]}}"#,
      problem: .invalid("model.vocab[0]", wanted: "a token and a score")),
    .init(
      testDescription: "unknown id out of range",
      json: #"{"model": {"type": "Unigram", "vocab": [["a", 0]], "unk_id": 1}}"#,
      problem: .idOutOfRange(1, vocabularySize: 1)),
    .init(
      testDescription: "spelled twice",
      json: #"{"model": {"type": "Unigram", "vocab": [["a", 0], ["a", 1]]}}"#,
      problem: .duplicateToken("a")),
  ]

  @Test("TK-1, TK-2, TK-3, TK-11: is rejected by name", arguments: rejected)
  func rejects(_ sample: Rejected) {
    #expect(throws: TokenizerError(sample.problem, path: "t.json")) {
      _ = try Tokenizer(tokenizerJSON: Array(sample.json.utf8), path: "t.json")
    }
  }

  @Test("an id outside the vocabulary is an error", arguments: [Int32(-1), 900, .max])
  func decodesNothing(id: Int32) throws {
    let tokenizer = try Sample.tokenizer("gpt2")
    #expect(throws: TokenizerError(.idOutOfRange(Int(id), vocabularySize: 900))) {
      _ = try tokenizer.decode([id])
    }
  }

  @Test("a character without a token is an error where nothing stands for it")
  func noUnknown() throws {
    let json = #"{"model": {"type": "Unigram", "vocab": [["a", 0]]}}"#
    let tokenizer = try Tokenizer(tokenizerJSON: Array(json.utf8))
    #expect(try tokenizer.encode("aa") == [0, 0])
    #expect(throws: TokenizerError(.noUnknownToken)) { try tokenizer.encode("ab") }
  }

  @Test("survives mutations of a file", arguments: ["llama3", "unigram"])
  func mutations(name: String) throws {
    let bytes = try Sample.bytes(name + ".json")
    var state: UInt64 = 42
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    for _ in 0..<150 {
      var copy = bytes
      for _ in 0...random(3) {
        let i = random(copy.count)
        switch random(3) {
        case 0: copy[i] = UInt8(random(256))
        case 1: copy.remove(at: i)
        default: copy.removeSubrange(i..<min(copy.count, i + random(40)))
        }
      }
      // Only errors of the module may come out, and never a trap.
      do throws(TokenizerError) {
        _ = try Tokenizer(tokenizerJSON: copy).encode("It's 12 €, isn't it?")
      } catch {
        #expect(!error.message.isEmpty)
      }
    }
  }
}
