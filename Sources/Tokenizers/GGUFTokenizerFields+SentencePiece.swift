package import JSON

extension GGUFTokenizerFields {
  /// A tokenizer.model's own pieces, scores and types: a `llama` vocabulary is made of them.
  init(
    _ file: SentencePieceFile, _ tokenizer: Tokenizer, _ tokens: [[UInt8]]
  ) throws(TokenizerError) {
    guard !file.spaces.removesExtra else {
      throw TokenizerError(
        .unsupported("normalizer_spec.remove_extra_whitespaces", "true in GGUF"))
    }
    self.init(model: "llama", tokens: tokens)
    addsSpacePrefix = file.spaces.addsPrefix
    if file.spaces.addsPrefix, tokenizer.laterNormalizers != nil {
      approximations.append("readers of GGUF put a space after special tokens too")
    }
    if file.pieces.contains(where: { $0.type == .userDefined }) {
      approximations.append("readers of GGUF cut user-defined pieces out before all else")
    }
    let lowest = (file.pieces.map(\.score).min() ?? 0) - 1
    scores = tokens.indices.map { $0 < file.pieces.count ? file.pieces[$0].score : lowest }
    tokenTypes = tokens.indices.map {
      ($0 < file.pieces.count ? file.pieces[$0].type : .userDefined).rawValue
    }
    for added in tokenizer.addedTokens where added.special && added.id != file.unknown {
      tokenTypes[Int(added.id)] = TokenType.control.rawValue
    }
    noteUnsayable(tokenizer)
    try takeSpecialTokens(tokenizer, unknown: file.unknown)
  }
}

extension Tokenizer {
  /// The content of the tokenizer.json and tokenizer_config.json that encode as a tokenizer.model does
  /// (TK-21); nil for a tokenizer that comes from elsewhere.
  ///
  /// - Throws: `TokenizerError` of kind unsupported where no tokenizer.json says the same.
  package func writtenSentencePiece(
    path: String? = nil
  ) throws(TokenizerError) -> (tokenizer: JSONValue, config: JSONValue)? {
    guard let file = sentencePiece else { return nil }
    do throws(TokenizerError) {
      guard case .bytePair(let model) = self.model else {
        throw TokenizerError(.unsupported("trainer_spec.model_type", "unigram in tokenizer.json"))
      }
      if let id = file.pieces.firstIndex(where: { $0.type == .userDefined }) {
        throw TokenizerError(
          .unsupported("pieces[\(id)]", "a user-defined piece in tokenizer.json"))
      }
      guard !file.spaces.removesExtra else {
        throw TokenizerError(
          .unsupported("normalizer_spec.remove_extra_whitespaces", "true in tokenizer.json"))
      }
      let merged = Set(model.merges.ranked.map(\.id))
      guard Set(merged.map { file.pieces[Int($0)].score }).count == merged.count else {
        throw TokenizerError(.unsupported("pieces", "one score of several in tokenizer.json"))
      }
      let fields = try GGUFTokenizerFields(self, rows: vocabularySize)
      guard var document = try fields.tokenizerJSON().object else { return nil }
      document["added_tokens"] = .array(
        addedTokens.map { token in
          var token = token
          token.normalized = false
          return token.json
        })
      if laterNormalizers != nil {
        document["normalizer"] = .null
        document["pre_tokenizer"] = [
          "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "first", "split": false,
        ]
      }
      return (.object(document), try fields.tokenizerConfig())
    } catch {
      throw TokenizerError(error.problem, path: path)
    }
  }
}
