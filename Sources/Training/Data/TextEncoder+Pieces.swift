extension TextEncoder {
  /// The tokens of a piece of a document, with what goes before and after the document.
  ///
  /// - Parameters:
  ///   - path: The piece's file.
  ///   - vocabulary: Rows of the model's embedding.
  package func tokens(
    of piece: DocumentPiece, in path: String, vocabulary: Int
  ) throws -> [UInt32] {
    var tokens = try piece.tokens ?? encode(piece.segments)
    if let bad = tokens.first(where: { $0 & TokenMark.id >= vocabulary }) {
      throw DataError(
        .tokenOutOfRange(id: Int(bad & TokenMark.id), vocabulary: vocabulary), path,
        piece.place)
    }
    if piece.tokens != nil { return tokens }
    // What opens a document is learned with it, but not before a prompt.
    let mark = piece.segments.first?.isTarget ?? true ? 0 : TokenMark.notLearned
    let opening = opening.map { UInt32($0) | mark }
    // Chat templates write the opening themselves.
    if piece.startsDocument, !tokens.lazy.map({ $0 & TokenMark.id | mark }).starts(with: opening) {
      tokens = opening + tokens
    }
    if piece.endsDocument, let ending {
      tokens.append(UInt32(ending) | (piece.learnsEnding ? 0 : TokenMark.notLearned))
    }
    return tokens
  }
}
