import ByteIO
import JSON

extension Tokenizer {
  private static let fileLimit = 256 << 20

  /// Reads the tokenizer of a Hugging Face folder with a tokenizer.json, or a tokenizer.json alone.
  ///
  /// - Throws: A `DiagnosedError`.
  public init(path: String) throws {
    guard try pathKind(path) == .folder else {
      let text = try ByteRegion(path: path).contents(limit: Self.fileLimit)
      try self.init(tokenizerJSON: text, path: path)
      return
    }
    func content(_ name: String) throws -> JSONValue? {
      let file = path + "/" + name
      guard try pathKind(file) != nil else { return nil }
      return try JSONValue(
        parsing: ByteRegion(path: file).contents(limit: Self.fileLimit), path: file)
    }
    let main = path + "/tokenizer.json"
    guard let document = try content("tokenizer.json") else { throw FileError.missing(main) }
    self = try TokenizerFolder(
      document: document, config: content("tokenizer_config.json"),
      specialTokensMap: content("special_tokens_map.json"),
      addedTokens: content("added_tokens.json")
    ).tokenizer(path: main)
  }
}
