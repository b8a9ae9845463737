extension TokenCache.Request {
  /// The tokens of a piece of a document, with what goes before and after the document.
  ///
  /// - Parameter path: The piece's file.
  func tokens(of piece: DocumentPiece, in path: String) throws -> [UInt32] {
    var tokens = try encoder.tokens(of: piece, in: path, vocabulary: vocabulary)
    if piece.startsDocument, !tokens.isEmpty { tokens[0] |= TokenMark.startsDocument }
    return tokens
  }
}
