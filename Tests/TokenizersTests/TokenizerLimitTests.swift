import ByteIO
import JSON
import Testing

@testable import Tokenizers

/// Tokenizers and texts that cost too much where an algorithm is not linear. The time limit is far
/// above what they take, and far below what a quadratic one would.
@Suite("Tokenizers that ask for too much", .timeLimit(.minutes(1)))
struct TokenizerLimitTests {
  /// A byte-pair tokenizer of one letter with some members replaced.
  private static func tokenizer(_ root: String, added: String = "") throws -> Tokenizer {
    let text =
      #"{"added_tokens": [\#(added)], "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}"#
      + (root.isEmpty ? "" : ", " + root) + "}"
    return try Tokenizer(tokenizerJSON: Array(text.utf8))
  }

  @Test(
    "steps that would never end or trap are refused",
    arguments: [
      #""pre_tokenizer": {"type": "Metaspace", "replacement": ""}"#,
      #""pre_tokenizer": {"type": "CharDelimiterSplit", "delimiter": ""}"#,
      #""decoder": {"type": "Metaspace", "replacement": ""}"#,
      #""normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "x"}"#,
    ])
  func endless(root: String) {
    let error = #expect(throws: TokenizerError.self) { try Self.tokenizer(root) }
    #expect(error?.code == "tokenizer.invalid_field")
  }

  @Test("the largest id there is")
  func hugeID() {
    let error = #expect(throws: TokenizerError.self) {
      try Tokenizer(
        tokenizerJSON: Array(
          #"{"model": {"type": "BPE", "vocab": {"a": 9223372036854775807}, "merges": []}}"#.utf8))
    }
    #expect(error?.code == "tokenizer.missing_id")
    #expect(error?.message.isEmpty == false)
  }

  @Test("a decoder that strips 2³¹ - 1 times")
  func strip() throws {
    let tokenizer = try Self.tokenizer(
      #""decoder": {"type": "Strip", "content": "a", "start": 2147483647, "stop": 2147483647}"#)
    for _ in 0..<50 { #expect(try tokenizer.decode([0]) == []) }
  }

  @Test("TK-17: normalizers that double a text 40 times")
  func doubling() throws {
    let step = #"{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}"#
    let steps = Array(repeating: step, count: 40).joined(separator: ",")
    let tokenizer = try Self.tokenizer(
      #""normalizer": {"type": "Sequence", "normalizers": [\#(steps)]}"#)
    let error = #expect(throws: TokenizerError.self) { try tokenizer.encode("a") }
    #expect(error?.code == "tokenizer.limit")
    #expect(error?.kind == .resourceLimit)
    // Ten of them are nothing unusual.
    let ten = Array(repeating: step, count: 10).joined(separator: ",")
    let fine = try Self.tokenizer(#""normalizer": {"type": "Sequence", "normalizers": [\#(ten)]}"#)
    #expect(try fine.encode("a").count == 1024)
  }

  @Test("TK-17: long tokens that would be looked for at every place")
  func longTokens() throws {
    let long = String(repeating: "b", count: 400_000)
    let added = #"{"id": 1, "content": "\#(long)", "special": true}"#
    let error = #expect(throws: TokenizerError.self) { try Self.tokenizer("", added: added) }
    #expect(error?.code == "tokenizer.limit")
    let unigram =
      #"{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["\#(long)", -1]]}}"#
    #expect(throws: TokenizerError.self) { try Tokenizer(tokenizerJSON: Array(unigram.utf8)) }
    var fields = GGUFTokenizerFields(
      model: "llama", tokens: [Array("<unk>".utf8), [UInt8](repeating: 0x62, count: 900_000)])
    fields.scores = [0, -1]
    #expect(throws: TokenizerError.self) { try Tokenizer(gguf: fields) }
  }

  @Test("runs of 400,000 combining marks", arguments: ["NFC", "NFD", "NFKC", "NFKD"])
  func marks(form: String) throws {
    // Two classes in turn, so that every mark changes its place.
    let text = "a" + String(repeating: "\u{0301}\u{0316}", count: 200_000)
    let form = try #require(NormalForm(rawValue: form))
    let result = form.apply(to: Array(text.utf8))
    #expect(result.count > 700_000)
    let sorted = Array(String(decoding: result, as: UTF8.self).unicodeScalars).suffix(300_000)
    #expect(sorted.first == "\u{0316}" && sorted.last == "\u{0301}")
  }
}
