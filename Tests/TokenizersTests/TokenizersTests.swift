import ByteIO
import Foundation
import TestSupport
import Testing
import Tokenizers

/// The tokenizers of `fixtures/tokenizers`, written by `Scripts/make_tokenizer_fixtures.py`.
enum Sample {
  static let all = [
    "gpt2", "llama3", "qwen2", "smollm2", "olmo2", "llama2", "mistral", "unigram", "unigram_plain",
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
  @Test("gives the reference's tokens of the mixed text", arguments: Sample.all)
  func encodes(name: String) throws {
    let got = try Sample.tokenizer(name).encode(Sample.bytes("mixed.txt"))
    let want = try Sample.ids(name)
    let difference = zip(got, want).enumerated().first { $1.0 != $1.1 }
    #expect(difference == nil)
    #expect(got.count == want.count)
  }

  @Test("gives the reference's text of the tokens", arguments: Sample.all)
  func decodes(name: String) throws {
    let got = try Sample.tokenizer(name).decodeText(Sample.ids(name))
    #expect("\(SHA256.digest(of: Array(got.utf8)))" == (try Sample.decodedDigest(name)))
  }
}
