extension GGUFTokenizerFields {
  /// The fields by which a reader of GGUF makes the tokens that `tokenizer` makes (TK-14); rare
  /// exceptions are told in `approximations`.
  ///
  /// - Parameter rows: Rows of the model's embedding; ids beyond the vocabulary become unused tokens.
  /// - Throws: `TokenizerError` of kind unsupported when the fields cannot say what the tokenizer
  ///   does: the error names it.
  package init(_ tokenizer: Tokenizer, rows: Int) throws(TokenizerError) {
    guard case .bytePair(let model) = tokenizer.model else {
      throw TokenizerError(.unsupported("model.type", "Unigram in GGUF"))
    }
    guard tokenizer.vocabularySize <= rows else {
      throw TokenizerError(
        .unsupported("model.vocab", "\(tokenizer.vocabularySize) tokens for \(rows) rows"))
    }
    var tokens: [[UInt8]] = []
    for id in 0..<Int32(tokenizer.vocabularySize) { tokens.append(try tokenizer.token(id)) }
    if let file = tokenizer.sentencePiece {
      try self.init(file, tokenizer, tokens)
      pad(to: rows)
      return
    }
    if model.byteSymbols.isEmpty {
      self.init(model: "llama", tokens: tokens)
      let scheme = try Self.spacePrefix(tokenizer)
      addsSpacePrefix = scheme != .never
      if scheme == .first {
        approximations.append("readers of GGUF put a space after special tokens too")
      }
      scores = Self.scores(model.merges.ranked, count: tokens.count)
    } else {
      self.init(model: "gpt2", pre: try Self.splittingRules(tokenizer, model), tokens: tokens)
      merges = try Self.merges(model.merges.ranked, tokens)
    }
    tokenTypes = Self.types(tokenizer, model, tokens)
    noteUnsayable(tokenizer)
    try takeSpecialTokens(tokenizer, unknown: model.unknown)
    try check(tokenizer, model)
    pad(to: rows)
  }

  /// Tokens for the rows of the embedding beyond the vocabulary.
  private mutating func pad(to rows: Int) {
    for id in tokens.count..<max(tokens.count, rows) {
      tokens.append(Array("[PAD\(id)]".utf8))
      tokenTypes.append(TokenType.unused.rawValue)
      if !scores.isEmpty { scores.append(-Float(id)) }
    }
  }

  // MARK: Byte-level BPE

  /// The name in `pre` for what is done before merging, the most usual one of several.
  private static func splittingRules(
    _ tokenizer: Tokenizer, _ model: BytePairModel
  ) throws(TokenizerError) -> String {
    for name in GGUFSplittingRules.preferred {
      guard let rules = GGUFSplittingRules.named[name], rules.ignoresMerges == model.ignoresMerges,
        tokenizer.normalizers == (rules.composes ? [.form(.composed)] : [])
      else { continue }
      let steps = try PreTokenizer.read(JSONField(value: rules.preTokenizer, path: "")).steps
      if steps == tokenizer.preTokenizers.map(\.canonical) { return name }
    }
    throw TokenizerError(
      .unsupported("pre_tokenizer", "splitting that no tokenizer.ggml.pre names"))
  }

  private static func merges(
    _ merges: [(left: Int32, right: Int32, id: Int32)], _ tokens: [[UInt8]]
  ) throws(TokenizerError) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    for merge in merges {
      let (left, right) = (tokens[Int(merge.left)], tokens[Int(merge.right)])
      guard !left.contains(0x20), !right.contains(0x20) else {
        throw TokenizerError(.unsupported("model.merges", "a token with a space"))
      }
      lines.append(left + [0x20] + right)
    }
    return lines
  }

  // MARK: SentencePiece BPE

  /// Where a space goes in front of a text.
  private static func spacePrefix(
    _ tokenizer: Tokenizer
  ) throws(TokenizerError) -> PreTokenizer.PrependScheme {
    let mark = TextPattern.mark
    let spaces = Normalizer.replace([0x20], with: mark)
    // The second is Gemma's, which finds nothing: the spaces have become marks.
    let cuts: [PreTokenizer] = [
      .split(.markedWords, .isolated, invert: false),
      .split(.literal([0x20]), .mergedWithPrevious, invert: false),
    ]
    let steps = tokenizer.preTokenizers.filter { !cuts.contains($0) }
    if steps.isEmpty {
      if tokenizer.normalizers == [.prepend(mark), spaces] { return .always }
      if tokenizer.normalizers == [spaces] { return .never }
    }
    if tokenizer.normalizers.isEmpty, steps.count == 1,
      case .metaspace(mark, let scheme, split: false) = steps[0]
    {
      return scheme
    }
    throw TokenizerError(
      .unsupported("normalizer", "a way to mark spaces other than SentencePiece's"))
  }

  /// Scores by which the tokens merge in the order of their best merges; the others' are of no
  /// consequence, and lower.
  private static func scores(
    _ merges: [(left: Int32, right: Int32, id: Int32)], count: Int
  ) -> [Float] {
    var scores = [Float](repeating: 1, count: count)
    var next = 0
    for merge in merges where scores[Int(merge.id)] == 1 {
      scores[Int(merge.id)] = -Float(next)
      next += 1
    }
    return scores.map { $0 == 1 ? -Float(next) : $0 }
  }

  // MARK: Both

  private static func types(
    _ tokenizer: Tokenizer, _ model: BytePairModel, _ tokens: [[UInt8]]
  ) -> [Int32] {
    var types = [Int32](repeating: TokenType.normal.rawValue, count: tokens.count)
    for id in model.byteFallback where id >= 0 { types[Int(id)] = TokenType.byte.rawValue }
    for added in tokenizer.addedTokens {
      let type: TokenType = added.special ? .control : .userDefined
      types[Int(added.id)] = type.rawValue
    }
    if let unknown = model.unknown, !model.byteFallback.isEmpty {
      types[Int(unknown)] = TokenType.unknown.rawValue
    }
    return types
  }

  /// GGUF has no flags for how added tokens are found.
  mutating func noteUnsayable(_ tokenizer: Tokenizer) {
    for token in tokenizer.addedTokens {
      let isNormalized = token.normalized && !tokenizer.normalizers.isEmpty
      guard token.leftStrip || token.rightStrip || token.singleWord || isNormalized else {
        continue
      }
      let text = String(decoding: token.content, as: UTF8.self)
      approximations.append("the added token \"\(text)\" is found wherever its text stands")
    }
  }

  mutating func takeSpecialTokens(
    _ tokenizer: Tokenizer, unknown: Int32?
  ) throws(TokenizerError) {
    bosID = tokenizer.bosID ?? tokenizer.prefix.first
    eosID = tokenizer.eosID ?? tokenizer.suffix.last
    paddingID = tokenizer.paddingID
    unknownID = unknown
    chatTemplate = tokenizer.chatTemplate
    for (name, frame, id) in [
      ("before", tokenizer.prefix, bosID), ("after", tokenizer.suffix, eosID),
    ] where !frame.isEmpty && frame != id.map({ [$0] }) {
      throw TokenizerError(.unsupported("post_processor", "the tokens \(frame) \(name) the text"))
    }
    addsBOS = !tokenizer.prefix.isEmpty
    addsEOS = !tokenizer.suffix.isEmpty
  }

  /// Reads the fields back and compares the merges, which scores may order or complete otherwise. Those
  /// that make an added token are never asked for: its text is cut out before.
  private func check(_ tokenizer: Tokenizer, _ model: BytePairModel) throws(TokenizerError) {
    guard case .bytePair(let again) = try Tokenizer(gguf: self).model else { return }
    let added = Set(tokenizer.addedTokens.map(\.id))
    func pairs(_ model: BytePairModel) -> Set<[Int32]> {
      Set(model.merges.ranked.lazy.filter { !added.contains($0.id) }.map { [$0.left, $0.right] })
    }
    let isSame =
      self.model == "gpt2"
      ? again.merges.ranked.elementsEqual(model.merges.ranked, by: ==)
      : pairs(again) == pairs(model)
    guard isSame, again.byteSymbols == model.byteSymbols, again.byteFallback == model.byteFallback
    else { throw TokenizerError(.unsupported("model.merges", "merges that are no scores'")) }
  }
}

extension PreTokenizer {
  /// The same step in the spelling of `GGUFSplittingRules`: patterns of words leave nothing between
  /// their matches, so that keeping the matches alone is isolating them.
  fileprivate var canonical: PreTokenizer {
    if case .split(.words(let pattern), .removed, invert: true) = self {
      return .split(.words(pattern), .isolated, invert: false)
    }
    return self
  }
}
