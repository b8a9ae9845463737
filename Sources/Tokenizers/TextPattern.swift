/// What a `Split` or a similar step looks for.
enum TextPattern: Equatable, Sendable {
  case words(WordPattern)
  case casedWords(CasedPattern)
  /// Any other expression.
  case expression(SplitExpression)
  /// Each occurrence of these bytes.
  case literal([UInt8])
  /// Each single character of a class.
  case scalars(UnicodeClass)
  /// `\w+|[^\w\s]+`.
  case wordsAndSigns
  /// Marks `▁` and the characters up to the next.
  case markedWords

  /// The `▁` that SentencePiece writes for a space.
  static let mark = Array("\u{2581}".utf8)

  /// Calls `body` with consecutive ranges that tile `piece`, and whether each matched.
  ///
  /// - Parameter work: Characters that an expression may still look at; without any it finds nothing.
  func forEachSegment(
    in text: Span<UInt8>, _ piece: Range<Int>, work: inout Int,
    _ body: (Range<Int>, Bool) -> Void
  ) {
    var unmatched = piece.lowerBound
    var position = piece.lowerBound
    while position < piece.upperBound {
      let (end, isMatch) = step(
        in: text.extracting(..<piece.upperBound), from: position, &work)
      if isMatch {
        if unmatched < position { body(unmatched..<position, false) }
        body(position..<end, true)
        unmatched = end
      }
      position = end
    }
    if unmatched < position { body(unmatched..<position, false) }
  }

  /// The end of the match at `position`, or of the character that starts none.
  private func step(
    in text: Span<UInt8>, from position: Int, _ work: inout Int
  ) -> (end: Int, isMatch: Bool) {
    switch self {
    case .words(let pattern): return (pattern.end(in: text, from: position), true)
    case .casedWords(let pattern): return (pattern.end(in: text, from: position), true)
    case .expression(let expression):
      if let end = expression.end(in: text, from: position, work: &work) { return (end, true) }
      return (position + DecodedScalar(in: text, at: position).width, false)
    case .literal(let bytes):
      let end = position + bytes.count
      if end <= text.count, bytes.indices.allSatisfy({ text[position + $0] == bytes[$0] }) {
        return (end, true)
      }
      return (position + DecodedScalar(in: text, at: position).width, false)
    case .markedWords:
      var end = position
      while hasMark(text, at: end) { end += Self.mark.count }
      while end < text.count, !hasMark(text, at: end) {
        end += DecodedScalar(in: text, at: end).width
      }
      return (end, true)
    case .scalars(let wanted):
      let scalar = DecodedScalar(in: text, at: position)
      return (position + scalar.width, !scalar.classes.isDisjoint(with: wanted))
    case .wordsAndSigns:
      var end = position
      let kind = DecodedScalar(in: text, at: position).classes.intersection([.word, .space])
      while end < text.count {
        let scalar = DecodedScalar(in: text, at: end)
        guard scalar.classes.intersection([.word, .space]) == kind else { break }
        end += scalar.width
      }
      return (end, kind != .space)
    }
  }
}

@inline(__always)
private func hasMark(_ text: Span<UInt8>, at i: Int) -> Bool {
  i + 2 < text.count && text[i] == 0xE2 && text[i + 1] == 0x96 && text[i + 2] == 0x81
}

/// What becomes of the matches of a `Split`.
enum SplitBehavior: String, Sendable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"

  /// Appends the pieces that `piece` splits into.
  func split(
    _ text: Span<UInt8>, _ piece: Range<Int>, at pattern: TextPattern, invert: Bool,
    into pieces: inout [Range<Int>], work: inout Int
  ) {
    let start = pieces.count
    var previousMatched = false
    pattern.forEachSegment(in: text, piece, work: &work) { segment, matched in
      let isMatch = matched != invert
      let joins =
        switch self {
        case .removed, .isolated: false
        case .mergedWithPrevious: isMatch && !previousMatched
        case .mergedWithNext: !isMatch && previousMatched
        case .contiguous: isMatch == previousMatched
        }
      previousMatched = isMatch
      if self == .removed, isMatch { return }
      if joins, pieces.count > start {
        pieces[pieces.count - 1] = pieces[pieces.count - 1].lowerBound..<segment.upperBound
      } else {
        pieces.append(segment)
      }
    }
  }
}
