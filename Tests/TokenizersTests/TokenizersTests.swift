import ByteIO
import Foundation
import TestSupport
import Testing
import Tokenizers

/// The tokenizers of `fixtures/tokenizers`, written by `Scripts/make_tokenizer_fixtures.py`.
enum Sample {
  static let byteLevel = ["gpt2", "llama3", "smollm2", "olmo2"]

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

@Suite("Tokenizer")
struct TokenizersTests {
  @Test("gives the reference's tokens of the mixed text", arguments: Sample.byteLevel)
  func encodes(name: String) throws {
    let got = try Sample.tokenizer(name).encode(Sample.bytes("mixed.txt"))
    let want = try Sample.ids(name)
    let difference = zip(got, want).enumerated().first { $1.0 != $1.1 }
    #expect(difference == nil)
    #expect(got.count == want.count)
  }
}
