/// Text to tokens and back, token for token as the reference implementation does it.
///
/// Text passes five stages: added tokens are cut out, the rest is normalized, cut into pieces,
/// encoded by the model, and framed by special tokens. `formats/tokenizer-json.md` tells each.
public struct Tokenizer: Sendable {
  enum Model: Sendable {
    case bytePair(BytePairModel)
    case unigram(UnigramModel)
    case lattice(PieceLattice)
  }

  var model: Model
  var vocabulary: Vocabulary
  var normalizers: [Normalizer] = []
  /// In place of `normalizers` for the stretches behind the first; nil where all are treated alike.
  var laterNormalizers: [Normalizer]?
  var preTokenizers: [PreTokenizer] = []
  var decoders: [TokenDecoder]?
  /// Special tokens that stand around a text.
  var prefix: [Int32] = []
  var suffix: [Int32] = []
  var literalTokens = AddedTokenMatcher()
  var normalizedTokens = AddedTokenMatcher()

  /// Tokens that are cut out of the text before anything else, by id.
  package private(set) var addedTokens: [AddedToken] = []
  private var specialIDs: Set<Int32> = []
  /// The tokenizer.model that the tokenizer was read from.
  var sentencePiece: SentencePieceFile?

  /// Begins a text; nil when nothing names it.
  public package(set) var bosID: Int32?
  /// Ends a text.
  public package(set) var eosID: Int32?
  /// Fills a batch.
  public package(set) var paddingID: Int32?
  /// How a conversation becomes text, in Jinja; nil when there is no such template.
  public package(set) var chatTemplate: String?

  /// Number of tokens; ids are below it.
  public var vocabularySize: Int { vocabulary.count }

  /// The id of the token spelled `token`.
  public func id(of token: String) -> Int32? { vocabulary.id(of: Array(token.utf8)) }

  /// The spelling of a token as the vocabulary has it.
  public func token(_ id: Int32) throws(TokenizerError) -> [UInt8] {
    guard let spelling = vocabulary.spelling(of: id) else {
      throw TokenizerError(.idOutOfRange(Int(id), vocabularySize: vocabularySize))
    }
    return spelling
  }

  init(model: Model, vocabulary: Vocabulary) {
    self.model = model
    self.vocabulary = vocabulary
  }

  /// Takes the added tokens, after the normalizers: tokens to be found in normalized text are
  /// normalized, too.
  mutating func setAddedTokens(
    _ tokens: [AddedToken],
    search: (AddedToken) -> AddedTokenSearch = { $0.normalized ? .normalized : .literal }
  ) throws(TokenizerError) {
    addedTokens = tokens.sorted { $0.id < $1.id }
    for token in addedTokens {
      try Self.checkLength(of: "added token \(token.id)", token.content.count)
      if token.special { specialIDs.insert(token.id) }
      switch search(token) {
      case .literal: literalTokens.add(token, spelled: token.content)
      case .normalized:
        normalizedTokens.add(token, spelled: try normalized(token.content, by: normalizers))
      case .spelled: normalizedTokens.add(token, spelled: token.content)
      case .never: break
      }
    }
  }

  // MARK: Encoding

  /// The tokens of `text`; malformed UTF-8 counts as U+FFFD.
  public func encode(
    _ text: String, addSpecialTokens: Bool = false
  ) throws(TokenizerError) -> [Int32] {
    try encode(Array(text.utf8), addSpecialTokens: addSpecialTokens)
  }

  /// The tokens of `bytes`, UTF-8 text in which malformed sequences count as U+FFFD.
  public func encode(
    _ bytes: [UInt8], addSpecialTokens: Bool = false
  ) throws(TokenizerError) -> [Int32] {
    let text = bytes.repairedUTF8
    var output = addSpecialTokens ? prefix : []
    output.reserveCapacity(text.count / 3 + prefix.count + suffix.count)
    var workspace = EncodingScratch(textByteCount: text.count)
    for (range, token) in literalTokens.segments(of: text.span, 0..<text.count) {
      if let token {
        output.append(token)
      } else {
        try encodeLiteral(text, range, into: &output, workspace: &workspace)
      }
    }
    if addSpecialTokens { output += suffix }
    return output
  }

  /// Encodes a stretch of text that holds no literal added token.
  private func encodeLiteral(
    _ text: [UInt8], _ range: Range<Int>, into output: inout [Int32],
    workspace: inout EncodingScratch
  ) throws(TokenizerError) {
    var (text, whole) = (text, range)
    let startsInput = range.lowerBound == 0
    let steps = startsInput ? normalizers : laterNormalizers ?? normalizers
    if !steps.isEmpty {
      text = try normalized(Array(text[range]), by: steps)
      whole = 0..<text.count
    }
    for (range, token) in normalizedTokens.segments(of: text.span, whole) {
      if let token {
        output.append(token)
        continue
      }
      var list = PieceList(
        text: text, pieces: [range], startsInput: startsInput && range.lowerBound == 0)
      for step in preTokenizers { try step.apply(to: &list) }
      for piece in list.pieces {
        try encodeWord(list.text.span.extracting(piece), into: &output, workspace: &workspace)
      }
    }
  }

  private func encodeWord(
    _ word: Span<UInt8>, into output: inout [Int32], workspace: inout EncodingScratch
  ) throws(TokenizerError) {
    let isShort = word.count <= WordCache.longestWord
    if isShort, workspace.cache.append(word, to: &output) { return }
    let start = output.count
    switch model {
    case .bytePair(let model): model.encode(word, into: &output, workspace: &workspace)
    case .unigram(let model): try model.encode(word, into: &output)
    case .lattice(let model): try model.encode(word, into: &output)
    }
    if isShort { workspace.cache.remember(word, output, from: start) }
  }

  private func normalized(
    _ text: [UInt8], by normalizers: [Normalizer]
  ) throws(TokenizerError) -> [UInt8] {
    let limit = Self.normalizedLimit + 32 * text.count
    var text = text
    for normalizer in normalizers {
      guard normalizer.bound(text) <= limit else {
        throw TokenizerError(.textTooLong(limit: limit))
      }
      text = normalizer.apply(to: text)
    }
    return text
  }

  /// Bytes that normalizers may make of a short text, beside some of each byte of a long one.
  private static let normalizedLimit = 16 << 20

  /// Longest token, in bytes, that is looked for at every place of a text.
  private static let longestToken = 1024

  static func checkLength(of field: String, _ count: Int) throws(TokenizerError) {
    guard count <= longestToken else {
      throw TokenizerError(.tokenTooLong(field, bytes: count, limit: longestToken))
    }
  }

  // MARK: Decoding

  /// Whether a token marks structure and is no text.
  public func isSpecial(_ id: Int32) -> Bool { specialIDs.contains(id) }

  /// The bytes that the tokens stand for, which need not be whole UTF-8 characters.
  public func decode(
    _ ids: some Sequence<Int32>, skipSpecial: Bool = false
  ) throws(TokenizerError) -> [UInt8] {
    try decode(ids, skipSpecial: skipSpecial, isStart: true, repairs: false)
  }

  /// The text that the tokens stand for; U+FFFD where they break a character.
  public func decodeText(
    _ ids: some Sequence<Int32>, skipSpecial: Bool = false
  ) throws(TokenizerError) -> String {
    String(
      decoding: try decode(ids, skipSpecial: skipSpecial, isStart: true, repairs: true),
      as: UTF8.self)
  }

  func decode(
    _ ids: some Sequence<Int32>, skipSpecial: Bool, isStart: Bool, repairs: Bool
  ) throws(TokenizerError) -> [UInt8] {
    var tokens: [[UInt8]] = []
    for id in ids {
      let token = try token(id)
      if !(skipSpecial && specialIDs.contains(id)) { tokens.append(token) }
    }
    guard let decoders else {
      return (isStart || tokens.isEmpty ? [] : [0x20]) + tokens.joined(separator: [0x20])
    }
    for decoder in decoders {
      tokens = decoder.apply(to: tokens, isStart: isStart, repairs: repairs)
    }
    return tokens.flatMap { $0 }
  }
}
