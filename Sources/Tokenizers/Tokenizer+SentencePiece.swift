package import JSON

extension Tokenizer {
  /// Reads a tokenizer.model alone, as SentencePiece does: what the spelling of a control piece has in
  /// a text is text.
  package init(sentencePiece bytes: [UInt8], path: String? = nil) throws(TokenizerError) {
    do throws(TokenizerError) {
      let file = try SentencePieceFile(bytes)
      try self.init(file, added: file.markers) { file.search($0) ?? .never }
    } catch {
      throw TokenizerError(error.problem, path: path)
    }
  }

  /// - Parameters:
  ///   - added: The file's markers and further tokens.
  ///   - search: How each is found in a text.
  init(
    _ file: SentencePieceFile, added: [AddedToken], search: (AddedToken) -> AddedTokenSearch
  ) throws(TokenizerError) {
    let entries = file.pieces.enumerated().map { (token: $1.text, id: $0) }
    let vocabulary = try Vocabulary(entries, added: added)
    let bytes = file.fallsBackToBytes ? vocabulary.byteTokens : []
    if let absent = bytes.firstIndex(of: -1) {
      throw TokenizerError(
        .invalid("trainer_spec.byte_fallback", wanted: "with a piece for byte \(absent)"))
    }
    switch file.algorithm {
    case .bytePair:
      let model = try BytePairModel(file, vocabulary, bytes: bytes)
      self.init(model: .bytePair(model), vocabulary: vocabulary)
      if model.keepsMarksInFront {
        preTokenizers = [.split(.markedWords, .isolated, invert: false)]
      }
    default:
      self.init(model: .lattice(try PieceLattice(file, bytes: bytes)), vocabulary: vocabulary)
    }
    sentencePiece = file
    normalizers = [.spaces(file.spaces)]
    decoders =
      [.replace(TextPattern.mark, with: [0x20])] + (file.fallsBackToBytes ? [.byteFallback] : [])
      + [.fuse]
    let leading = file.spaces.removesExtra ? Int.max : file.spaces.addsPrefix ? 1 : 0
    if leading > 0 { decoders?.append(.strip(content: [0x20], start: leading, stop: 0)) }
    let named = file.named
    (bosID, eosID, paddingID) = (named.beginning, named.ending, named.padding)
    try setAddedTokens(added, search: search)
  }
}

extension SentencePieceFile {
  /// Control pieces and user-defined ones.
  var markers: [AddedToken] {
    pieces.enumerated().compactMap { id, piece in
      guard piece.type == .control || piece.type == .userDefined else { return nil }
      return AddedToken(
        id: Int32(id), content: Array(piece.text.utf8), special: piece.type == .control)
    }
  }

  /// How SentencePiece itself finds a user-defined piece; nil for any other token.
  func search(_ token: AddedToken) -> AddedTokenSearch? {
    guard pieces.indices.contains(Int(token.id)), pieces[Int(token.id)].type == .userDefined else {
      return nil
    }
    return .spelled
  }
}

/// The files of a folder whose tokenizer is a tokenizer.model (TK-20).
package struct SentencePieceFolder {
  private let model: [UInt8]
  private let folder: TokenizerFolder
  private let config: JSONValue
  private let modelType: String?

  /// - Parameters:
  ///   - model: The bytes of tokenizer.model.
  ///   - modelType: `model_type` of config.json, which counts without a `tokenizer_class`.
  package init(
    model: [UInt8], config: JSONValue? = nil, specialTokensMap: JSONValue? = nil,
    addedTokens: JSONValue? = nil, modelType: String? = nil
  ) {
    self.model = model
    self.modelType = modelType
    folder = TokenizerFolder(
      document: [:], config: config, specialTokensMap: specialTokensMap, addedTokens: addedTokens)
    self.config = folder.merged()
  }

  /// Whether what transformers does with the file beside what it says is known: other classes may cut
  /// and frame texts otherwise.
  private var isKnown: Bool {
    let names = ["Llama", "Gemma"].flatMap { [$0 + "Tokenizer", $0 + "TokenizerFast"] }
    let types = ["llama", "mistral", "mixtral", "gemma", "gemma2", "gemma3_text"]
    if let name = config["tokenizer_class"]?.string {
      return (names + ["PreTrainedTokenizerFast", "TokenizersBackend"]).contains(name)
    }
    return modelType.map(types.contains) ?? true
  }

  /// The tokenizer, or nil where the folder's class is not known; errors have the path of
  /// tokenizer.model.
  package func tokenizer(path: String? = nil) throws(TokenizerError) -> Tokenizer? {
    guard isKnown else { return nil }
    do throws(TokenizerError) {
      var file = try SentencePieceFile(model)
      if let prefix = try setting("add_prefix_space") { file.spaces.addsPrefix = prefix }
      // In transformers' own way: no space where there is one, and none after special tokens.
      let isLegacy = try setting("legacy") ?? true
      file.spaces.doublesPrefix = isLegacy
      var tokenizer = try Tokenizer(file, added: folder.tokens(of: file)) {
        file.search($0) ?? .literal
      }
      if file.spaces.addsPrefix, !isLegacy {
        var later = file.spaces
        later.addsPrefix = false
        tokenizer.laterNormalizers = [.spaces(later)]
      }
      try tokenizer.apply(config: config)
      if try setting("add_bos_token") ?? false, let id = tokenizer.bosID {
        tokenizer.prefix = [id]
      }
      if try setting("add_eos_token") ?? false, let id = tokenizer.eosID { tokenizer.suffix = [id] }
      return tokenizer
    } catch {
      throw TokenizerError(error.problem, path: path)
    }
  }

  private func setting(_ key: String) throws(TokenizerError) -> Bool? {
    try JSONField(value: config, path: "")[key]?.bool()
  }
}

extension TokenizerFolder {
  /// The markers of a tokenizer.model with the tokens that the other files add.
  fileprivate func tokens(of file: SentencePieceFile) throws(TokenizerError) -> [AddedToken] {
    var ids: [[UInt8]: Int32] = [:]
    for (id, piece) in file.pieces.enumerated() { ids[Array(piece.text.utf8)] = Int32(id) }
    let unknown = AddedToken(
      id: file.unknown, content: Array(file.pieces[Int(file.unknown)].text.utf8), special: true)
    return try allTokens(known: file.markers + [unknown], ids: ids, size: file.pieces.count)
  }
}
