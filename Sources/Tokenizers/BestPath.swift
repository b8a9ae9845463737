/// The best segmentation of a text up to one place: that with the highest sum of scores (Kudo 2018,
/// section 3.1).
struct BestPath<Score: BinaryFloatingPoint & Sendable> {
  var score: Score = 0
  /// Where the last token starts; -1 while nothing ends here.
  var start = -1
  var token: Int32 = -1

  /// The best paths to all places of `text`, valid UTF-8: one more than there are bytes.
  ///
  /// - Parameters:
  ///   - trie: Spellings of the tokens.
  ///   - unknown: The token, and its score, of a character that no token covers.
  /// - Throws: `TokenizerError` where a character needs an unknown token and there is none.
  static func all(
    of text: Span<UInt8>, _ trie: ByteTrie, _ scores: [Score],
    unknown: (token: Int32, score: Score)?
  ) throws(TokenizerError) -> [Self] {
    var paths = [Self](repeating: Self(), count: text.count + 1)
    var start = 0
    while start < text.count {
      let before = paths[start].score
      let width = DecodedScalar(in: text, at: start).width
      var coversCharacter = false
      func reach(_ length: Int, _ token: Int32, _ score: Score) {
        let end = start + length
        if paths[end].start < 0 || before + score > paths[end].score {
          paths[end] = Self(score: before + score, start: start, token: token)
        }
      }
      trie.forEachPrefix(in: text, at: start) { length, token in
        reach(length, token, scores[Int(token)])
        if length == width { coversCharacter = true }
      }
      if !coversCharacter {
        guard let unknown else { throw TokenizerError(.noUnknownToken) }
        reach(width, unknown.token, unknown.score)
      }
      start += width
    }
    return paths
  }
}
