/// What a tokenizer.model of SentencePiece says: its protobuf `ModelProto` (TK-19).
struct SentencePieceFile: Equatable, Sendable {
  /// Kind of a piece; GGUF's `token_type` has the same numbers.
  typealias PieceType = GGUFTokenizerFields.TokenType

  struct Piece: Equatable, Sendable {
    var text = ""
    var score: Float = 0
    var type = PieceType.normal
  }

  enum Algorithm: UInt64, Sendable {
    case unigram = 1
    case bytePair = 2
    case word = 3
    case character = 4
  }

  private(set) var pieces: [Piece] = []
  private(set) var algorithm = Algorithm.unigram
  private(set) var fallsBackToBytes = false
  var spaces = SpaceRule(addsPrefix: true, removesExtra: true)
  private(set) var unknown: Int32 = 0
  private var beginning = "<s>"
  private var ending = "</s>"
  private var padding = "<pad>"

  /// Reads a file's bytes.
  init(_ bytes: [UInt8]) throws(TokenizerError) {
    var reader = WireReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: pieces.append(try Self.piece(bytes, field, "pieces[\(pieces.count)]"))
      case 2: try readTraining(bytes, field)
      case 3: try readNormalization(bytes, field)
      case 5: try Self.refuseRules(bytes, field, "denormalizer_spec")
      default: break
      }
    }
    guard !pieces.isEmpty else { throw TokenizerError(.missing("pieces")) }
    guard algorithm == .unigram || algorithm == .bytePair else {
      throw TokenizerError(.unsupported("trainer_spec.model_type", "\(algorithm)"))
    }
    try checkPieces()
  }

  /// The tokens that begin and end a text and fill a batch, where the file has such control pieces.
  var named: (beginning: Int32?, ending: Int32?, padding: Int32?) {
    func find(_ text: String) -> Int32? {
      pieces.firstIndex { $0.type == .control && $0.text == text }.map { Int32($0) }
    }
    return (find(beginning), find(ending), find(padding))
  }

  // MARK: Messages

  private static func piece(
    _ bytes: [UInt8], _ field: WireReader.Field, _ path: String
  ) throws(TokenizerError) -> Piece {
    var piece = Piece()
    var reader = WireReader(bytes, try field.block(path))
    while let field = try reader.next() {
      switch field.number {
      case 1: piece.text = try field.text(path + ".piece", in: bytes)
      case 2: piece.score = try field.float(path + ".score")
      case 3:
        let number = try field.integer(path + ".type")
        guard let type = Int32(exactly: number).flatMap(PieceType.init(rawValue:)) else {
          throw TokenizerError(.invalid(path + ".type", wanted: "1 to 6, not \(number)"))
        }
        piece.type = type
      default: break
      }
    }
    return piece
  }

  private mutating func readTraining(
    _ bytes: [UInt8], _ field: WireReader.Field
  ) throws(TokenizerError) {
    let path = "trainer_spec"
    var reader = WireReader(bytes, try field.block(path))
    while let field = try reader.next() {
      switch field.number {
      case 3:
        let number = try field.integer(path + ".model_type")
        guard let algorithm = Algorithm(rawValue: number) else {
          throw TokenizerError(.unsupported(path + ".model_type", "\(number)"))
        }
        self.algorithm = algorithm
      case 24:
        if try field.integer(path + ".treat_whitespace_as_suffix") != 0 {
          throw TokenizerError(.unsupported(path + ".treat_whitespace_as_suffix", "true"))
        }
      case 35: fallsBackToBytes = try field.integer(path + ".byte_fallback") != 0
      case 46: beginning = try field.text(path + ".bos_piece", in: bytes)
      case 47: ending = try field.text(path + ".eos_piece", in: bytes)
      case 48: padding = try field.text(path + ".pad_piece", in: bytes)
      default: break
      }
    }
  }

  private mutating func readNormalization(
    _ bytes: [UInt8], _ field: WireReader.Field
  ) throws(TokenizerError) {
    let path = "normalizer_spec"
    try Self.refuseRules(bytes, field, path)
    var reader = WireReader(bytes, try field.block(path))
    while let field = try reader.next() {
      switch field.number {
      case 3: spaces.addsPrefix = try field.integer(path + ".add_dummy_prefix") != 0
      case 4: spaces.removesExtra = try field.integer(path + ".remove_extra_whitespaces") != 0
      case 5:
        if try field.integer(path + ".escape_whitespaces") == 0 {
          throw TokenizerError(.unsupported(path + ".escape_whitespaces", "false"))
        }
      default: break
      }
    }
  }

  /// Rules that change characters are refused: a `precompiled_charsmap`, with the name of its rules.
  private static func refuseRules(
    _ bytes: [UInt8], _ field: WireReader.Field, _ path: String
  ) throws(TokenizerError) {
    var name = ""
    var hasRules = false
    var reader = WireReader(bytes, try field.block(path))
    while let field = try reader.next() {
      if field.number == 1 { name = try field.text(path + ".name", in: bytes) }
      if field.number == 2 {
        hasRules = try !field.block(path + ".precompiled_charsmap").isEmpty
      }
    }
    if hasRules {
      throw TokenizerError(
        .unsupported(path + ".precompiled_charsmap", "normalizing by \"\(name)\""))
    }
  }

  // MARK: Checks

  private mutating func checkPieces() throws(TokenizerError) {
    var unknown: Int32?
    var byteCount = 0
    for (id, piece) in pieces.enumerated() {
      let path = "pieces[\(id)]"
      try Tokenizer.checkLength(of: path, piece.text.utf8.count)
      guard !piece.text.isEmpty else {
        throw TokenizerError(.invalid(path + ".piece", wanted: "a text of at least one character"))
      }
      guard piece.score.isFinite else {
        throw TokenizerError(.invalid(path + ".score", wanted: "a finite number"))
      }
      switch piece.type {
      case .unknown:
        guard unknown == nil else {
          throw TokenizerError(.invalid(path, wanted: "the only piece of type UNKNOWN"))
        }
        unknown = Int32(id)
      case .byte: byteCount += 1
      case .userDefined where piece.text.utf8.contains(0x20):
        throw TokenizerError(.unsupported(path, "a user-defined piece with a space"))
      default: break
      }
    }
    guard let unknown else { throw TokenizerError(.missing("piece of type UNKNOWN")) }
    self.unknown = unknown
    guard byteCount == (fallsBackToBytes ? 256 : 0) else {
      throw TokenizerError(
        .invalid(
          "trainer_spec.byte_fallback",
          wanted: "\(byteCount > 0) with \(byteCount) pieces of type BYTE, of which there are 256"))
    }
  }
}

extension WireReader.Field {
  /// The place of a text, of bytes or of a message.
  fileprivate func block(_ path: String) throws(TokenizerError) -> Range<Int> {
    if case .block(let range) = content { return range }
    throw mistyped(path)
  }

  fileprivate func text(_ path: String, in bytes: [UInt8]) throws(TokenizerError) -> String {
    guard let text = String(validating: bytes[try block(path)], as: UTF8.self) else {
      throw TokenizerError(.invalid(path, wanted: "UTF-8"))
    }
    return text
  }

  fileprivate func integer(_ path: String) throws(TokenizerError) -> UInt64 {
    if case .varint(let value) = content { return value }
    throw mistyped(path)
  }

  fileprivate func float(_ path: String) throws(TokenizerError) -> Float {
    if case .fixed32(let bits) = content { return Float(bitPattern: bits) }
    throw mistyped(path)
  }

  private func mistyped(_ path: String) -> TokenizerError {
    TokenizerError(.notSentencePiece(offset: offset, "\(path) has another type's content"))
  }
}
