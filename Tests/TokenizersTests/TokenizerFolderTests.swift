import JSON
import Testing

@testable import Tokenizers

/// Folders of `fixtures/tokenizers/folders/cases.json`, made by
/// `Scripts/make_tokenizer_folder_fixtures.py`.
@Suite("Tokens outside tokenizer.json")
struct TokenizerFolderTests {
  @Test("TK-16: get the reference's ids, from whichever file names them")
  func cases() throws {
    let fixture = try JSONValue(parsing: Sample.bytes("folders/cases.json"))
    let document = try JSONValue(parsing: Sample.bytes("folders/tokenizer.json"))
    let text = try #require(fixture["text"]?.string)
    let cases = try #require(fixture["cases"]?.array)
    #expect(cases.count == 18)
    for (number, sample) in cases.enumerated() {
      let files = sample["files"]
      let tokenizer = try TokenizerFolder(
        document: document, config: files?["tokenizer_config.json"],
        specialTokensMap: files?["special_tokens_map.json"],
        addedTokens: files?["added_tokens.json"]
      ).tokenizer()
      let ids = sample["ids"]?.array?.compactMap { $0.integer.map { Int32($0) } }
      #expect(try tokenizer.encode(text, addSpecialTokens: true) == ids, "case \(number)")
      #expect(tokenizer.eosID.map { Int($0) } == sample["eos"]?.integer, "case \(number)")
      #expect(tokenizer.paddingID.map { Int($0) } == sample["pad"]?.integer, "case \(number)")
      let added = sample["added"]?.array ?? []
      #expect(
        tokenizer.addedTokens.map { "\($0.id) \(String(decoding: $0.content, as: UTF8.self))" }
          == added.map { "\($0["id"]?.integer ?? -1) \($0["content"]?.string ?? "")" },
        "case \(number)")
      #expect(
        tokenizer.addedTokens.map(\.special) == added.map { $0["special"]?.bool }, "case \(number)")
    }
  }
}
