/// SentencePiece's unigram model as SentencePiece computes it: with sums of scores in single precision,
/// and without pieces that no text has. `UnigramModel` follows the package `tokenizers`, which adds in
/// double precision.
struct PieceLattice: Sendable {
  private let scores: [Float]
  private let unknown: Int32
  /// Tokens of all bytes; empty without byte fallback.
  private let bytes: [Int32]
  private let trie: ByteTrie
  /// Of a character that no piece covers: ten below the lowest score.
  private let unknownScore: Float

  init(_ file: SentencePieceFile, bytes: [Int32]) throws(TokenizerError) {
    self.bytes = bytes
    unknown = file.unknown
    scores = file.pieces.map(\.score)
    var trie = ByteTrie()
    var lowest = Float.greatestFiniteMagnitude
    for (id, piece) in file.pieces.enumerated() {
      switch piece.type {
      case .normal:
        lowest = min(lowest, piece.score)
        trie.insert(piece.text.utf8.span, value: Int32(id))
      case .userDefined:
        // Which of several cover a text is decided there by what rounding leaves.
        throw TokenizerError(
          .unsupported("pieces[\(id)]", "a user-defined piece in a unigram model"))
      default: break
      }
    }
    self.trie = trie
    unknownScore = lowest - 10
  }

  /// Appends the tokens of `text`, valid UTF-8, to `output`.
  func encode(_ text: Span<UInt8>, into output: inout [Int32]) throws(TokenizerError) {
    guard text.count > 0 else { return }
    let paths = try BestPath.all(of: text, trie, scores, unknown: (unknown, unknownScore))
    var pieces: [Range<Int>] = []
    var end = text.count
    while end > 0 {
      pieces.append(paths[end].start..<end)
      end = paths[end].start
    }
    var followsUnknown = false
    for piece in pieces.reversed() {
      let token = paths[piece.upperBound].token
      if token != unknown {
        output.append(token)
      } else if !bytes.isEmpty {
        for i in piece { output.append(bytes[Int(text[i])]) }
      } else if !followsUnknown {
        output.append(unknown)
      }
      followsUnknown = token == unknown
    }
  }
}
