/// Turns the scores of SentencePiece BPE into a list of merges.
enum ScoredMerges {
  /// Every pair of tokens whose joint spelling is a token, best score of that token first.
  ///
  /// SentencePiece joins the neighbours that make the best-scored token. A list of pairs ordered by
  /// that score does the same; pairs that make one token stand by the ids of their parts.
  static func pairs(
    tokens: [[UInt8]], scores: [Float], isMergeable: [Bool]
  ) -> [(left: Int, right: Int)] {
    var table = ByteStringTable(minimumCapacity: tokens.count)
    var ids: [Int] = []
    for (id, token) in tokens.enumerated() where isMergeable[id] && table.find(token.span) == nil {
      table.insert(token.span)
      ids.append(id)
    }
    var merges: [(score: Float, token: Int, left: Int, right: Int)] = []
    for id in ids {
      let bytes = tokens[id]
      let token = bytes.span
      for cut in bytes.indices.dropFirst() where bytes[cut] & 0xC0 != 0x80 {
        guard let left = table.find(token.extracting(..<cut)),
          let right = table.find(token.extracting(cut...))
        else { continue }
        merges.append((scores[id], id, ids[left], ids[right]))
      }
    }
    merges.sort {
      $0.score != $1.score
        ? $0.score > $1.score
        : ($0.token, $0.left, $0.right) < ($1.token, $1.left, $1.right)
    }
    return merges.map { ($0.left, $0.right) }
  }
}
