/// SentencePiece's unigram model: the segmentation of a word with the highest sum of scores.
struct UnigramModel: Sendable {
  var vocabulary: Vocabulary
  /// Log probability of each token.
  var scores: [Double]
  /// Token for characters that no token covers.
  var unknown: Int32?
  /// Tokens `<0x00>` to `<0xFF>`, -1 where absent; empty without byte fallback.
  var byteFallback: [Int32]
  private let trie: ByteTrie
  /// Score of an unknown character: ten below the lowest.
  private let unknownScore: Double

  init(
    vocabulary: Vocabulary, scores: [Double], unknown: Int32?, byteFallback: [Int32]
  ) {
    self.vocabulary = vocabulary
    self.scores = scores
    self.unknown = unknown
    self.byteFallback = byteFallback
    var trie = ByteTrie()
    for id in scores.indices {
      trie.insert(vocabulary.modelSpelling(of: id), value: Int32(id))
    }
    self.trie = trie
    unknownScore = (scores.min() ?? 0) - 10
  }

  /// Appends the tokens of `word`, valid UTF-8, to `output`.
  func encode(_ word: Span<UInt8>, into output: inout [Int32]) throws(TokenizerError) {
    guard word.count > 0 else { return }
    let paths = try BestPath.all(
      of: word, trie, scores, unknown: unknown.map { ($0, unknownScore) })
    // From the end back; unknown characters side by side become one.
    var pieces: [(range: Range<Int>, isUnknown: Bool)] = []
    var end = word.count
    while end > 0 {
      let path = paths[end]
      let isUnknown = path.token == unknown
      if isUnknown, let last = pieces.last, last.isUnknown {
        pieces[pieces.count - 1].range = path.start..<last.range.upperBound
      } else {
        pieces.append((path.start..<end, isUnknown))
      }
      end = path.start
    }
    for piece in pieces.reversed() {
      try append(word.extracting(piece.range), to: &output)
    }
  }

  private func append(_ piece: Span<UInt8>, to output: inout [Int32]) throws(TokenizerError) {
    if let id = vocabulary.find(piece) {
      output.append(id)
      return
    }
    if !byteFallback.isEmpty {
      let start = output.count
      for i in piece.indices { output.append(byteFallback[Int(piece[i])]) }
      if !output[start...].contains(-1) { return }
      output.removeSubrange(start...)
    }
    guard let unknown else { throw TokenizerError(.noUnknownToken) }
    output.append(unknown)
  }
}
