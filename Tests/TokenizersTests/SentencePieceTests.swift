import ByteIO
import Foundation
import JSON
import TestSupport
import Testing
import Tokenizers

/// The models of `fixtures/sentencepiece`, written by `Scripts/make_sentencepiece_fixtures.py`.
enum PieceSample {
  static let all = [
    "bpe", "bpe_bytes", "bpe_no_prefix", "bpe_user", "bpe_user_trimmed", "bpe_phrases", "unigram",
    "unigram_bytes", "unigram_no_prefix", "unigram_phrases",
  ]

  static func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: Fixtures.path("sentencepiece/\(name).model"))))
  }

  /// Texts and what `sentencepiece` makes of them, by model.
  struct Expected: Decodable {
    var texts: [String]
    var ids: [String: [[Int32]]]
  }

  static func expected() throws -> Expected {
    try JSONDecoder().decode(
      Expected.self,
      from: Data(contentsOf: URL(filePath: Fixtures.path("sentencepiece/expected.json"))))
  }

  static let names: JSONValue = ["bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"]

  /// The tokenizer of a folder with the model and a configuration.
  static func folder(
    _ name: String, _ config: JSONObject, modelType: String? = nil
  ) throws -> Tokenizer? {
    var merged = names.object ?? [:]
    for member in config.members { merged[member.key] = member.value }
    return try SentencePieceFolder(
      model: bytes(name), config: .object(merged), modelType: modelType
    ).tokenizer(path: name)
  }
}

@Suite("tokenizer.model")
struct SentencePieceTests {
  @Test("TK-19: gives the ids of sentencepiece", arguments: PieceSample.all)
  func encodes(name: String) throws {
    let expected = try PieceSample.expected()
    let tokenizer = try Tokenizer(sentencePiece: PieceSample.bytes(name))
    let ids = try #require(expected.ids[name])
    for (text, want) in zip(expected.texts, ids) {
      #expect(try tokenizer.encode(text) == want, "\(text.debugDescription)")
    }
  }

  @Test(
    "TK-19: a text comes back, without the space in front", arguments: ["bpe_bytes", "bpe_user"])
  func decodes(name: String) throws {
    let tokenizer = try Tokenizer(sentencePiece: PieceSample.bytes(name))
    for text in try PieceSample.expected().texts {
      let again = try tokenizer.decodeText(tokenizer.encode(text))
      #expect(again == text.replacing("\u{2581}", with: " "))
    }
  }

  @Test("TK-19: names the pieces that begin and end a text, and takes their spelling for text")
  func control() throws {
    let tokenizer = try Tokenizer(sentencePiece: PieceSample.bytes("bpe_user"))
    #expect(tokenizer.bosID == 1 && tokenizer.eosID == 2 && tokenizer.paddingID == 3)
    #expect(tokenizer.isSpecial(1) && !tokenizer.isSpecial(7))
    #expect(try !tokenizer.encode("<s><ctl>").contains { tokenizer.isSpecial($0) })
    #expect(try tokenizer.encode("a", addSpecialTokens: true) == tokenizer.encode("a"))
  }

  @Test(
    "TK-19: what is not read is refused by name",
    arguments: [
      ("unigram_user", "pieces[3]", "a user-defined piece in a unigram model"),
      ("char", "trainer_spec.model_type", "character"),
      ("suffix", "trainer_spec.treat_whitespace_as_suffix", "true"),
      ("spaced", "pieces[3]", "a user-defined piece with a space"),
      ("charsmap", "normalizer_spec.precompiled_charsmap", "normalizing by \"nmt_nfkc\""),
    ])
  func refuses(name: String, field: String, found: String) throws {
    let bytes = try PieceSample.bytes("refused_" + name)
    #expect(throws: TokenizerError(.unsupported(field, found), path: "x")) {
      try Tokenizer(sentencePiece: bytes, path: "x")
    }
  }

  /// A file of the given pieces; types are those of the format.
  static func file(_ pieces: [(String, UInt8)], byteFallback: Bool = false) -> [UInt8] {
    func block(_ field: UInt8, _ content: [UInt8]) -> [UInt8] {
      [field << 3 | 2, UInt8(content.count)] + content
    }
    let list = pieces.flatMap { block(1, block(1, Array($0.0.utf8)) + [0x18, $0.1]) }
    return list + block(2, [0x18, 2] + [0x98, 0x02, byteFallback ? 1 : 0])
  }

  static let damaged: [(bytes: [UInt8], problem: TokenizerError.Problem)] = [
    ([], .missing("pieces")),
    ([0x0A], .notSentencePiece(offset: 1, "a number is cut off")),
    ([0x0A, 5, 0x0A], .notSentencePiece(offset: 0, "a field of 5 bytes, with 1 left")),
    ([0x0A, 2, 0x0A, 9], .notSentencePiece(offset: 2, "a field of 9 bytes, with 0 left")),
    ([0x0B], .notSentencePiece(offset: 0, "a field of wire type 3")),
    ([0x02, 0], .notSentencePiece(offset: 0, "a field has number 0")),
    (
      [0x08] + [UInt8](repeating: 0xFF, count: 11),
      .notSentencePiece(offset: 1, "a number of more than ten bytes")
    ),
    (
      [0x0A, 2, 0x10, 1], .notSentencePiece(offset: 2, "pieces[0].score has another type's content")
    ),
    (
      [0x0A, 5, 0x15, 0, 0, 0xC0, 0x7F],
      .invalid("pieces[0].piece", wanted: "a text of at least one character")
    ),
    ([0x0A, 3, 0x0A, 1, 0xFF], .invalid("pieces[0].piece", wanted: "UTF-8")),
    (
      [0x0A, 8, 0x0A, 1, 0x61, 0x15, 0, 0, 0xC0, 0x7F],
      .invalid("pieces[0].score", wanted: "a finite number")
    ),
    (file([("a", 9)]), .invalid("pieces[0].type", wanted: "1 to 6, not 9")),
    (file([("a", 1)]), .missing("piece of type UNKNOWN")),
    (file([("a", 2), ("b", 2)]), .invalid("pieces[1]", wanted: "the only piece of type UNKNOWN")),
    (file([("a", 2), ("b", 1), ("b", 1)]), .duplicateToken("b")),
    (
      file([("a", 2), ("<0x00>", 6)], byteFallback: true),
      .invalid(
        "trainer_spec.byte_fallback",
        wanted: "true with 1 pieces of type BYTE, of which there are 256")
    ),
    (
      file([("u", 2), ("a", 1), ("ab", 1)]),
      .unsupported("pieces[2]", "a piece with \"b\", which is no piece")
    ),
    (
      file([("u", 2), ("a", 1), ("b", 1), ("ab", 5)]),
      .unsupported("pieces[3]", "an unused piece that others merge into")
    ),
  ]

  @Test("TK-19: a malformed file is refused with the place", arguments: damaged)
  func malformed(bytes: [UInt8], problem: TokenizerError.Problem) {
    #expect(throws: TokenizerError(problem)) { try Tokenizer(sentencePiece: bytes) }
  }

  @Test("TK-19: unknown fields are passed over, whatever they hold")
  func unknownFields() throws {
    let more: [UInt8] = [0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7D, 1, 2, 3, 4, 0x78, 0x80, 1, 0x7A, 1, 0]
    let bytes = try PieceSample.bytes("bpe_bytes")
    let tokenizer = try Tokenizer(sentencePiece: more + bytes + more)
    #expect(try tokenizer.encode("the loop") == Tokenizer(sentencePiece: bytes).encode("the loop"))
  }

  @Test(
    "TK-19: no damage to a file makes the reader fail otherwise",
    arguments: ["bpe_user", "unigram"])
  func mutations(name: String) throws {
    let bytes = try PieceSample.bytes(name)
    for (_, copy) in Mutations(of: bytes, count: 400) {
      guard let tokenizer = try? Tokenizer(sentencePiece: copy) else { continue }
      _ = try? tokenizer.decode(tokenizer.encode("It's <ud> 12 €\n  the loop"))
    }
  }

  // MARK: Folders

  /// What transformers makes of the same texts in a folder.
  struct Folder: Decodable, CustomTestStringConvertible {
    var model: String
    var config: String
    var texts: [String]
    var ids: [[Int32]]

    var testDescription: String { model + " " + config }
    var object: JSONObject {
      get throws { try JSONValue(parsing: Array(config.utf8)).object ?? [:] }
    }
  }

  static func folders() throws -> [Folder] {
    try JSONDecoder().decode(
      [Folder].self,
      from: Data(contentsOf: URL(filePath: Fixtures.path("sentencepiece/folders.json"))))
  }

  @Test("TK-20: a folder's configuration frames and cuts texts as transformers does")
  func folder() throws {
    for folder in try Self.folders() {
      let tokenizer = try #require(try PieceSample.folder(folder.model, folder.object))
      for (text, want) in zip(folder.texts, folder.ids) {
        let got = try tokenizer.encode(text, addSpecialTokens: true)
        #expect(got == want, "\(folder.config) \(text.debugDescription)")
      }
    }
  }

  @Test("TK-20: classes of transformers that do more than the file says are not guessed at")
  func classes() throws {
    #expect(try PieceSample.folder("bpe", ["tokenizer_class": "T5Tokenizer"]) == nil)
    #expect(try PieceSample.folder("bpe", [:], modelType: "t5") == nil)
    #expect(try PieceSample.folder("bpe", [:], modelType: "llama") != nil)
  }

  @Test("TK-20: tokens of the other files stand behind the pieces")
  func addedTokens() throws {
    let tokenizer = try #require(
      try PieceSample.folder("bpe", ["extra_special_tokens": ["<ud>", "<new>"]]))
    let plain = try Tokenizer(sentencePiece: PieceSample.bytes("bpe"))
    let count = Int32(plain.vocabularySize)
    #expect(try tokenizer.encode("a<new>a") == plain.encode("a") + [count + 1] + plain.encode("a"))
    #expect(tokenizer.isSpecial(count) && tokenizer.isSpecial(0))
  }

  @Test("TK-21: the tokenizer.json that is written encodes the same")
  func written() throws {
    for folder in try Self.folders() where folder.model == "bpe_bytes" {
      let tokenizer = try #require(try PieceSample.folder(folder.model, folder.object))
      let written = try #require(try tokenizer.writtenSentencePiece())
      let again = try Tokenizer(tokenizerJSON: Array(written.tokenizer.text().utf8))
      for (text, want) in zip(folder.texts, folder.ids) {
        #expect(try again.encode(text, addSpecialTokens: true) == want, "\(text.debugDescription)")
      }
    }
  }

  @Test(
    "TK-21: what no tokenizer.json says is refused by name",
    arguments: [
      ("unigram_bytes", "trainer_spec.model_type", "unigram in tokenizer.json"),
      ("bpe_user", "pieces[6]", "a user-defined piece in tokenizer.json"),
      ("bpe", "normalizer_spec.remove_extra_whitespaces", "true in tokenizer.json"),
    ])
  func notWritten(name: String, field: String, found: String) throws {
    let tokenizer = try #require(try PieceSample.folder(name, [:]))
    #expect(throws: TokenizerError(.unsupported(field, found), path: "x")) {
      try tokenizer.writtenSentencePiece(path: "x")
    }
  }

  @Test("TK-21: a GGUF vocabulary has the pieces, their scores and types")
  func gguf() throws {
    let tokenizer = try #require(try PieceSample.folder("bpe_bytes", ["add_bos_token": true]))
    let fields = try GGUFTokenizerFields(tokenizer, rows: tokenizer.vocabularySize + 1)
    #expect(fields.model == "llama" && fields.approximations.isEmpty)
    #expect(fields.tokenTypes.prefix(4) == [2, 3, 3, 6] && fields.tokenTypes.last == 5)
    #expect(fields.addsBOS == true && fields.addsSpacePrefix == true)
    let again = try Tokenizer(gguf: fields)
    for text in try PieceSample.expected().texts {
      #expect(try again.encode(text) == tokenizer.encode(text), "\(text.debugDescription)")
    }
    let trimmed = try #require(try PieceSample.folder("bpe", [:]))
    #expect(throws: TokenizerError.self) { try GGUFTokenizerFields(trimmed, rows: 1000) }
  }
}
