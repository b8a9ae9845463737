/// The splitting regular expressions of byte-level vocabularies: one scanner, told apart by rules.
///
/// Each is an alternation that matches at every position, so the matches tile the text:
/// contraction, word, number, punctuation, then three ways to take white space.
struct WordPattern: Equatable, Sendable {
  enum Contractions: Sendable {
    /// `'s|'t|'re|'ve|'m|'ll|'d`
    case lowercase
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
    case anyCase
  }

  var contractions: Contractions
  /// What may precede a word: any character but letters, numbers and line ends; else a space.
  var wordTakesAnyLead: Bool
  /// Most digits in one number; nil for any count after an optional space.
  var longestNumber: Int?
  /// Punctuation takes the line ends after it, and white space splits after its last line end.
  var lineEndsSplit: Bool
  /// Slashes count with the line ends that punctuation takes.
  var slashEndsSigns = false

  static let gpt2 = WordPattern(
    contractions: .lowercase, wordTakesAnyLead: false, longestNumber: nil, lineEndsSplit: false)

  private static let tail = #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  private static let words = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"#
  /// The expression of Llama 3 and OLMo 2.
  static let threeDigits = words + #"|\p{N}{1,3}"# + tail
  /// The expression of Qwen2.
  static let oneDigit = words + #"|\p{N}"# + tail

  /// cl100k as tiktoken spells it: it takes the same, and never tries again what it took.
  private static let possessive =
    #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}"#
    + #"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"#

  /// The scanners by the exact text of their regular expression.
  static let named: [String: WordPattern] = {
    func modern(_ digits: Int) -> WordPattern {
      WordPattern(
        contractions: .anyCase, wordTakesAnyLead: true, longestNumber: digits, lineEndsSplit: true)
    }
    return [
      #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: gpt2,
      threeDigits: modern(3), oneDigit: modern(1), possessive: modern(3),
    ]
  }()

  /// End of the match that starts at `start`; `text` is valid UTF-8 up to its end.
  func end(in text: Span<UInt8>, from start: Int) -> Int {
    if text[start] == UInt8(ascii: "'") {
      let end = contractionEnd(in: text, from: start)
      if end > start { return end }
    }
    let first = DecodedScalar(in: text, at: start)
    let classes = first.classes
    let second = start + first.width
    if classes.contains(.letter) { return run(of: .letter, in: text, from: second) }
    if classes.contains(.number) { return numberEnd(in: text, from: second) }
    let isSpace = classes.contains(.space)
    if second < text.count {
      let isLineEnd = first.value == 0x0A || first.value == 0x0D
      let mayLead = wordTakesAnyLead ? !isLineEnd : first.value == 0x20
      if mayLead || first.value == 0x20 {
        let following = DecodedScalar(in: text, at: second)
        let next = following.classes
        let third = second + following.width
        if mayLead, next.contains(.letter) { return run(of: .letter, in: text, from: third) }
        if first.value == 0x20 {
          if longestNumber == nil, next.contains(.number) {
            return run(of: .number, in: text, from: third)
          }
          if next.isDisjoint(with: [.space, .letter, .number]) {
            return punctuationEnd(in: text, from: third)
          }
        }
      }
    }
    return isSpace ? spaceEnd(in: text, from: start) : punctuationEnd(in: text, from: second)
  }

  /// `end`, of a text that starts with no word.
  func endBesideWords(in text: Span<UInt8>, from start: Int) -> Int {
    let first = DecodedScalar(in: text, at: start)
    let second = start + first.width
    if first.classes.contains(.number) { return numberEnd(in: text, from: second) }
    if first.value == 0x20, second < text.count {
      let following = DecodedScalar(in: text, at: second)
      if following.classes.isDisjoint(with: [.space, .letter, .number]) {
        return punctuationEnd(in: text, from: second + following.width)
      }
    }
    return first.classes.contains(.space)
      ? spaceEnd(in: text, from: start) : punctuationEnd(in: text, from: second)
  }

  /// The letter at `place`, small where case does not count; 0 behind the end.
  private func letter(of text: Span<UInt8>, at place: Int) -> UInt8 {
    guard place < text.count else { return 0 }
    let byte = text[place]
    return contractions == .anyCase && (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
  }

  func contractionEnd(in text: Span<UInt8>, from start: Int) -> Int {
    guard start < text.count, text[start] == UInt8(ascii: "'") else { return start }
    switch (letter(of: text, at: start + 1), letter(of: text, at: start + 2)) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
      (UInt8(ascii: "d"), _):
      return start + 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    case (0xC5, 0xBF) where contractions == .anyCase: return start + 3  // ſ folds to s
    default: return start
    }
  }

  private func numberEnd(in text: Span<UInt8>, from second: Int) -> Int {
    guard let longestNumber else { return run(of: .number, in: text, from: second) }
    var end = second
    for _ in 1..<longestNumber {
      guard end < text.count else { break }
      let scalar = DecodedScalar(in: text, at: end)
      guard scalar.classes.contains(.number) else { break }
      end += scalar.width
    }
    return end
  }

  /// End of the run of characters of `wanted` that starts at `start`, which may be empty.
  private func run(of wanted: UnicodeClass, in text: Span<UInt8>, from start: Int) -> Int {
    var end = start
    while end < text.count {
      let scalar = DecodedScalar(in: text, at: end)
      guard scalar.classes.contains(wanted) else { break }
      end += scalar.width
    }
    return end
  }

  private func punctuationEnd(in text: Span<UInt8>, from start: Int) -> Int {
    var end = start
    while end < text.count {
      let scalar = DecodedScalar(in: text, at: end)
      guard scalar.classes.isDisjoint(with: [.space, .letter, .number]) else { break }
      end += scalar.width
    }
    while lineEndsSplit, end < text.count,
      text[end] == 0x0A || text[end] == 0x0D || slashEndsSigns && text[end] == UInt8(ascii: "/")
    {
      end += 1
    }
    return end
  }

  /// `\s*[\r\n]+` where line ends split, then `\s+(?!\S)`, then `\s+`.
  private func spaceEnd(in text: Span<UInt8>, from start: Int) -> Int {
    var end = start
    var lastStart = start
    var lineEnd = start
    while end < text.count {
      let scalar = DecodedScalar(in: text, at: end)
      guard scalar.classes.contains(.space) else { break }
      lastStart = end
      end += scalar.width
      if scalar.value == 0x0A || scalar.value == 0x0D { lineEnd = end }
    }
    if lineEndsSplit, lineEnd > start { return lineEnd }
    // The last space is left for the word after it, unless it stands alone.
    return end == text.count || lastStart == start ? end : lastStart
  }
}
