/// The splitting expressions of o200k and of Mistral's tekken: as the older ones, but a word ends
/// where capitals follow small letters, as in `camelCase`.
struct CasedPattern: Equatable, Sendable {
  /// A word takes `'s`, `'re` and the like behind it.
  var takesContractions: Bool
  var longestNumber: Int

  private static let upper = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#
  private static let lower = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#
  private static let lead = #"[^\r\n\p{L}\p{N}]?"#
  private static let tail = #"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  private static func text(contractions: String, number: String) -> String {
    lead + upper + "*" + lower + "+" + contractions + "|" + lead + upper + "+" + lower + "*"
      + contractions + "|" + number + tail
  }

  /// Mistral's tekken.
  static let tekken = text(contractions: "", number: #"\p{N}"#)
  static let o200k = text(
    contractions: #"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#, number: #"\p{N}{1,3}"#)

  /// The scanners by the exact text of their regular expression.
  static let named: [String: CasedPattern] = [
    tekken: CasedPattern(takesContractions: false, longestNumber: 1),
    o200k: CasedPattern(takesContractions: true, longestNumber: 3),
  ]

  /// Numbers, signs and white space are those of the older expressions.
  private var plain: WordPattern {
    WordPattern(
      contractions: .anyCase, wordTakesAnyLead: true, longestNumber: longestNumber,
      lineEndsSplit: true, slashEndsSigns: true)
  }

  /// End of the match that starts at `start`; `text` is valid UTF-8 up to its end.
  func end(in text: Span<UInt8>, from start: Int) -> Int {
    let first = DecodedScalar(in: text, at: start)
    let mayLead =
      first.value != 0x0A && first.value != 0x0D
      && first.classes.isDisjoint(with: [.letter, .number])
    let places = mayLead ? [start + first.width, start] : [start]
    // The first form, with the lead and without it, comes before the second.
    for endsLow in [true, false] {
      for place in places {
        if let end = word(in: text, from: place, endsLow: endsLow) {
          return takesContractions ? plain.contractionEnd(in: text, from: end) : end
        }
      }
    }
    return plain.endBesideWords(in: text, from: start)
  }

  /// `upper* lower+` or `upper+ lower*` at `start`.
  private func word(in text: Span<UInt8>, from start: Int, endsLow: Bool) -> Int? {
    var end = run(of: .upper, in: text, from: start)
    if !endsLow {
      return end > start ? run(of: .lower, in: text, from: end) : nil
    }
    let low = run(of: .lower, in: text, from: end)
    if low > end { return low }
    // Characters that are of both kinds are given back, from the last on.
    while end > start {
      let last = DecodedScalar(in: text, before: end)
      if last.kinds.contains(.lower) { return end }
      end -= last.width
    }
    return nil
  }

  private func run(of wanted: UnicodeKind, in text: Span<UInt8>, from start: Int) -> Int {
    var end = start
    while end < text.count {
      let scalar = DecodedScalar(in: text, at: end)
      guard scalar.kinds.contains(wanted) else { break }
      end += scalar.width
    }
    return end
  }
}
