extension BytePairModel {
  /// Longest piece, in bytes, that others are merged into.
  private static let longestMerge = 256

  /// SentencePiece's BPE: of all neighbours whose joint spelling is a piece, those of the best score
  /// merge, the leftmost first. Pairs of one score have one rank.
  init(_ file: SentencePieceFile, _ vocabulary: Vocabulary, bytes: [Int32]) throws(TokenizerError) {
    let pairs = try Self.pairs(file)
    var merges = MergeTable(capacity: pairs.count)
    let scores = Set(pairs.map { file.pieces[$0.piece].score }).sorted(by: >)
    var ranks: [Float: UInt32] = [:]
    for (rank, score) in scores.enumerated() { ranks[score] = UInt32(rank) }
    var joinsBeforeMark = false
    let mark = TextPattern.mark
    for pair in pairs {
      let rank = ranks[file.pieces[pair.piece].score] ?? 0
      merges.set(
        Int32(pair.left), Int32(pair.right), MergeTable.Merge(rank: rank, id: Int32(pair.piece)))
      let (left, right) = (file.pieces[pair.left].text.utf8, file.pieces[pair.right].text.utf8)
      if right.starts(with: mark), !left.reversed().starts(with: mark.reversed()) {
        joinsBeforeMark = true
      }
    }
    self.init(
      vocabulary: vocabulary, merges: merges, unknown: file.unknown, fusesUnknown: true,
      byteFallback: bytes, ignoresMerges: false, byteSymbols: [])
    keepsMarksInFront = !joinsBeforeMark && vocabulary.find(mark) != nil
  }

  /// Pieces that merge, and what they make. User-defined ones never do: they are cut out before.
  private static func pairs(
    _ file: SentencePieceFile
  ) throws(TokenizerError) -> [(left: Int, right: Int, piece: Int)] {
    var table = ByteStringTable(minimumCapacity: file.pieces.count)
    var ids: [Int] = []
    var userDefined: Set<[UInt8]> = []
    for (id, piece) in file.pieces.enumerated() {
      switch piece.type {
      case .normal, .unused:
        guard table.find(piece.text.utf8.span) == nil else {
          throw TokenizerError(.duplicateToken(piece.text))
        }
        table.insert(piece.text.utf8.span)
        ids.append(id)
      case .userDefined: userDefined.insert(Array(piece.text.utf8))
      default: break
      }
    }
    var pairs: [(left: Int, right: Int, piece: Int)] = []
    for (place, id) in ids.enumerated() {
      let bytes = table[place]
      let width = DecodedScalar(in: bytes, at: 0).width
      guard width < bytes.count else { continue }
      let path = "pieces[\(id)]"
      guard bytes.count <= longestMerge else {
        throw TokenizerError(.tokenTooLong(path, bytes: bytes.count, limit: longestMerge))
      }
      try checkCharacters(bytes, table, userDefined, path)
      for cut in width..<bytes.count where bytes[cut] & 0xC0 != 0x80 {
        guard let left = table.find(bytes.extracting(..<cut)),
          let right = table.find(bytes.extracting(cut...))
        else { continue }
        guard file.pieces[id].type == .normal else {
          throw TokenizerError(.unsupported(path, "an unused piece that others merge into"))
        }
        pairs.append((ids[left], ids[right], id))
      }
    }
    return pairs
  }

  /// Pieces of other characters merge in the reference, too; here each must have an id.
  private static func checkCharacters(
    _ bytes: Span<UInt8>, _ table: ByteStringTable, _ userDefined: Set<[UInt8]>, _ path: String
  ) throws(TokenizerError) {
    var start = 0
    while start < bytes.count {
      let end = start + DecodedScalar(in: bytes, at: start).width
      if table.find(bytes.extracting(start..<end)) == nil {
        let character = (start..<end).map { bytes[$0] }
        guard userDefined.contains(character) else {
          let text = String(decoding: character, as: UTF8.self)
          throw TokenizerError(.unsupported(path, "a piece with \"\(text)\", which is no piece"))
        }
      }
      start = end
    }
  }
}
