/// A splitting expression that has no scanner of its own, matched as the reference's engine
/// (Oniguruma) matches it: alternatives in order, each a row of parts that take as much as they can
/// and give it back, character by character, when what follows does not match.
struct SplitExpression: Equatable, Sendable {
  /// A set of characters, such as `[^\r\n\p{L}]`.
  struct Characters: Equatable, Sendable {
    var isNegated = false
    var classes: UnicodeClass = []
    var kinds: UnicodeKind = []
    /// `\p{S}`: signs that are no punctuation.
    var hasSymbols = false
    /// `\S`.
    var hasNonSpaces = false
    var ranges: [ClosedRange<UInt32>] = []

    func contains(_ scalar: DecodedScalar) -> Bool {
      let (classes, kinds) = (scalar.classes, scalar.kinds)
      let isMember =
        !classes.isDisjoint(with: self.classes) || !kinds.isDisjoint(with: self.kinds)
        || hasSymbols && kinds.contains(.sign) && !kinds.contains(.punctuation)
        || hasNonSpaces && !classes.contains(.space)
        || ranges.contains { $0.contains(scalar.value) }
      return isMember != isNegated
    }
  }

  enum Part: Equatable, Sendable {
    /// `least` to `most` characters of a set; one that keeps gives none back.
    case run(Characters, least: Int, most: Int, keeps: Bool)
    /// One of several spellings, the first that matches and lets the rest match.
    case spellings([[Characters]], isOptional: Bool)
    /// No character of the set follows.
    case notBefore(Characters)
    /// The end of the text, or a line feed follows.
    case lineEnd

    /// The fewest characters that the part takes.
    var least: Int {
      switch self {
      case .run(_, let least, _, _): least
      case .spellings(let options, let isOptional):
        isOptional ? 0 : options.map(\.count).min() ?? 0
      case .notBefore, .lineEnd: 0
      }
    }
  }

  var alternatives: [[Part]]

  /// The end of the match at `start`; nil where none starts, or when `work` is used up.
  ///
  /// - Parameter work: Characters that may still be looked at.
  func end(in text: Span<UInt8>, from start: Int, work: inout Int) -> Int? {
    for parts in alternatives {
      if let end = Self.match(parts[...], text, start, &work) { return end }
    }
    return nil
  }

  /// As deep as an alternative has parts.
  private static func match(
    _ parts: ArraySlice<Part>, _ text: Span<UInt8>, _ start: Int, _ work: inout Int
  ) -> Int? {
    guard let part = parts.first else { return start }
    let rest = parts.dropFirst()
    work -= 1
    switch part {
    case .run(let characters, let least, let most, let keeps):
      var (end, count) = (start, 0)
      while count < most, end < text.count, work > 0 {
        let scalar = DecodedScalar(in: text, at: end)
        work -= 1
        guard characters.contains(scalar) else { break }
        end += scalar.width
        count += 1
      }
      while count >= least, work > 0 {
        if let found = match(rest, text, end, &work) { return found }
        if keeps || count == 0 { return nil }
        end -= DecodedScalar(in: text, before: end).width
        count -= 1
      }
      return nil
    case .spellings(let options, let isOptional):
      for spelling in options {
        if let end = Self.end(of: spelling, text, start, &work),
          let found = match(rest, text, end, &work)
        {
          return found
        }
      }
      return isOptional ? match(rest, text, start, &work) : nil
    case .notBefore(let characters):
      if start < text.count, characters.contains(DecodedScalar(in: text, at: start)) { return nil }
      return match(rest, text, start, &work)
    case .lineEnd:
      return start == text.count || text[start] == 0x0A ? match(rest, text, start, &work) : nil
    }
  }

  private static func end(
    of spelling: [Characters], _ text: Span<UInt8>, _ start: Int, _ work: inout Int
  ) -> Int? {
    var end = start
    for characters in spelling {
      guard end < text.count else { return nil }
      let scalar = DecodedScalar(in: text, at: end)
      work -= 1
      guard characters.contains(scalar) else { return nil }
      end += scalar.width
    }
    return end
  }
}
