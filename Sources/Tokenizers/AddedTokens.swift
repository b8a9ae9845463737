/// A token that is cut out of the text before anything else looks at it.
package struct AddedToken: Equatable, Sendable {
  package var id: Int32
  package var content: [UInt8]
  /// Matches only between characters that are not of a word.
  package var singleWord = false
  /// Takes the white space before it.
  package var leftStrip = false
  /// Takes the white space after it.
  package var rightStrip = false
  /// Is looked for in the normalized text, not in the text as given.
  package var normalized = false
  /// Marks structure, and is left out of decoded text on request.
  package var special = false
}

/// Where an added token is looked for.
enum AddedTokenSearch {
  /// In the text as given.
  case literal
  /// In the normalized text, normalized itself.
  case normalized
  /// In the normalized text, as it is spelled.
  case spelled
  /// Nowhere: the model finds it, or no text has it.
  case never
}

/// Finds added tokens in text, the leftmost first and among those the longest.
struct AddedTokenMatcher: Sendable {
  /// A stretch of text, or the token it is.
  typealias Segment = (range: Range<Int>, token: Int32?)

  private var tokens: [AddedToken] = []
  private var trie = ByteTrie()

  mutating func add(_ token: AddedToken, spelled content: [UInt8]) {
    guard !content.isEmpty else { return }
    trie.insert(content.span, value: Int32(tokens.count))
    tokens.append(token)
  }

  /// The stretches of `range` and the tokens between them, in order.
  func segments(of text: Span<UInt8>, _ range: Range<Int>) -> [Segment] {
    if trie.isEmpty { return range.isEmpty ? [] : [(range, nil)] }
    var segments: [Segment] = []
    let text = text.extracting(..<range.upperBound)
    var position = range.lowerBound
    var done = range.lowerBound
    while position < range.upperBound {
      guard let match = trie.longestPrefix(in: text, at: position) else {
        position += 1
        continue
      }
      let token = tokens[Int(match.value)]
      var start = position
      var end = position + match.length
      position = end
      if token.singleWord, !Self.standsAlone(start..<end, in: text, from: range.lowerBound) {
        continue
      }
      if token.leftStrip {
        while start > done {
          let scalar = DecodedScalar(in: text, before: start)
          guard scalar.classes.contains(.space) else { break }
          start -= scalar.width
        }
      }
      if token.rightStrip {
        while end < text.count {
          let scalar = DecodedScalar(in: text, at: end)
          guard scalar.classes.contains(.space) else { break }
          end += scalar.width
        }
      }
      if done < start { segments.append((done..<start, nil)) }
      segments.append((start..<end, token.id))
      done = end
    }
    if done < range.upperBound { segments.append((done..<range.upperBound, nil)) }
    return segments
  }

  private static func standsAlone(
    _ match: Range<Int>, in text: Span<UInt8>, from start: Int
  ) -> Bool {
    if match.lowerBound > start,
      DecodedScalar(in: text, before: match.lowerBound).classes.contains(.word)
    {
      return false
    }
    return match.upperBound == text.count
      || !DecodedScalar(in: text, at: match.upperBound).classes.contains(.word)
  }
}
