extension TokenCache.Request {
  /// The tokens of a piece of a document, with what goes before and after the document.
  ///
  /// - Parameter path: The piece's file.
  func tokens(of piece: DocumentPiece, in path: String) throws -> [UInt32] {
    var tokens = try own(piece, in: path)
    if piece.startsDocument, !tokens.isEmpty { tokens[0] |= TokenMark.startsDocument }
    return tokens
  }

  private func own(_ piece: DocumentPiece, in path: String) throws -> [UInt32] {
    var tokens = try piece.tokens ?? encoder.encode(piece.segments)
    if let bad = tokens.first(where: { $0 & TokenMark.id >= vocabulary }) {
      throw DataError(
        .tokenOutOfRange(id: Int(bad & TokenMark.id), vocabulary: vocabulary), path,
        piece.place)
    }
    if piece.tokens != nil { return tokens }
    // What opens a document is learned with it, but not before a prompt.
    let mark = piece.segments.first?.isTarget ?? true ? 0 : TokenMark.notLearned
    let opening = encoder.opening.map { UInt32($0) | mark }
    // Chat templates write the opening themselves.
    if piece.startsDocument, !tokens.lazy.map({ $0 & TokenMark.id | mark }).starts(with: opening) {
      tokens = opening + tokens
    }
    if piece.endsDocument, let ending = encoder.ending {
      tokens.append(UInt32(ending) | (piece.learnsEnding ? 0 : TokenMark.notLearned))
    }
    return tokens
  }
}
