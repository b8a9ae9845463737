/// Reads splitting expressions, in the part of Oniguruma's language that they are written in: what
/// has another meaning elsewhere, or none here, is refused.
struct SplitExpressionParser {
  /// Most parts of an alternative, which matching goes as deep as.
  private static let mostParts = 32
  /// Most repetitions that a `{n,m}` may ask for.
  private static let mostRepeats = 1000

  private struct Refused: Error {}

  private let text: [UInt32]
  private var position = 0

  private init(_ text: String) { self.text = text.unicodeScalars.map(\.value) }

  /// The expression; nil when anything in it is not read, or when it may match nothing at all.
  static func parse(_ text: String) -> SplitExpression? {
    var parser = SplitExpressionParser(text)
    do throws(Refused) { return try parser.expression() } catch { return nil }
  }

  private func isNext(_ literal: String) -> Bool {
    text[position...].starts(with: literal.unicodeScalars.lazy.map(\.value))
  }

  private mutating func take(_ literal: String) -> Bool {
    guard isNext(literal) else { return false }
    position += literal.unicodeScalars.count
    return true
  }

  private mutating func next() throws(Refused) -> UInt32 {
    guard position < text.count else { throw Refused() }
    defer { position += 1 }
    return text[position]
  }

  private mutating func expression() throws(Refused) -> SplitExpression {
    var alternatives: [[SplitExpression.Part]] = []
    repeat {
      var parts: [SplitExpression.Part] = []
      while position < text.count, !isNext("|") { parts.append(try part()) }
      guard parts.count <= Self.mostParts, parts.contains(where: { $0.least > 0 }) else {
        throw Refused()
      }
      alternatives.append(parts)
    } while take("|")
    return SplitExpression(alternatives: alternatives)
  }

  private mutating func part() throws(Refused) -> SplitExpression.Part {
    if take("$") { return .lineEnd }
    if take("(?!") {
      let characters = try self.characters(ignoresCase: false)
      guard take(")") else { throw Refused() }
      return .notBefore(characters)
    }
    if take("(?i:") { return try spellings(ignoresCase: true) }
    if take("(?:") { return try spellings(ignoresCase: false) }
    let characters = try self.characters(ignoresCase: false)
    let (least, most, isCounted) = try quantifier()
    let keeps = !isCounted && (least, most) != (1, 1) && take("+")
    // `a+?`, `a{2}+` and the like mean something else, or differ between engines.
    if ["?", "*", "+", "{"].contains(where: isNext) { throw Refused() }
    return .run(characters, least: least, most: most, keeps: keeps)
  }

  private mutating func quantifier() throws(Refused) -> (Int, Int, isCounted: Bool) {
    if take("?") { return (0, 1, false) }
    if take("*") { return (0, .max, false) }
    if take("+") { return (1, .max, false) }
    guard take("{") else { return (1, 1, false) }
    let least = try number()
    var most = least
    if take(",") { most = isNext("}") ? .max : try number() }
    guard take("}"), most >= least, most > 0 else { throw Refused() }
    return (least, most, true)
  }

  private mutating func number() throws(Refused) -> Int {
    var value = 0
    let start = position
    while position < text.count, (0x30...0x39).contains(text[position]) {
      value = value * 10 + Int(text[position]) - 0x30
      position += 1
      if value > Self.mostRepeats { throw Refused() }
    }
    if position == start { throw Refused() }
    return value
  }

  /// Spellings without repetition up to a closing parenthesis, and a `?` behind it.
  private mutating func spellings(ignoresCase: Bool) throws(Refused) -> SplitExpression.Part {
    var options: [[SplitExpression.Characters]] = [[]]
    while !take(")") {
      if take("|") {
        options.append([])
      } else {
        options[options.count - 1].append(try characters(ignoresCase: ignoresCase))
      }
    }
    if options.contains(where: \.isEmpty) { throw Refused() }
    let isOptional = take("?")
    if ["?", "*", "+", "{"].contains(where: isNext) { throw Refused() }
    return .spellings(options, isOptional: isOptional)
  }

  // MARK: Characters

  private mutating func characters(
    ignoresCase: Bool
  ) throws(Refused) -> SplitExpression.Characters {
    var characters = SplitExpression.Characters()
    if take("[") {
      characters.isNegated = take("^")
      repeat { try addItem(to: &characters) } while !take("]")
    } else if isNext("\\") {
      try addItem(to: &characters)
    } else {
      let scalar = try next()
      guard !".^*+?{}()|$]".unicodeScalars.contains(where: { $0.value == scalar }) else {
        throw Refused()
      }
      characters.ranges = [scalar...scalar]
    }
    return ignoresCase ? try Self.folded(characters) : characters
  }

  /// One class, character or range.
  private mutating func addItem(
    to characters: inout SplitExpression.Characters
  ) throws(Refused) {
    for (name, add) in Self.classes where take(name) {
      add(&characters)
      return
    }
    let first = try member()
    guard take("-") else {
      characters.ranges.append(first...first)
      return
    }
    let last = try member()
    guard first <= last else { throw Refused() }
    characters.ranges.append(first...last)
  }

  private typealias Addition = @Sendable (inout SplitExpression.Characters) -> Void
  private static let classes: [(String, Addition)] = [
    (#"\p{L}"#, { $0.classes.insert(.letter) }), (#"\p{N}"#, { $0.classes.insert(.number) }),
    (#"\p{M}"#, { $0.kinds.insert(.mark) }), (#"\p{P}"#, { $0.kinds.insert(.punctuation) }),
    (#"\p{S}"#, { $0.hasSymbols = true }), (#"\s"#, { $0.classes.insert(.space) }),
    (#"\S"#, { $0.hasNonSpaces = true }),
  ]

  /// A character of a set, as it is or escaped.
  private mutating func member() throws(Refused) -> UInt32 {
    let scalar = try next()
    switch scalar {
    case 0x5C:  // \
      let escaped = try next()
      switch escaped {
      case 0x72: return 0x0D
      case 0x6E: return 0x0A
      case 0x74: return 0x09
      // Letters and digits name classes, code points and groups.
      case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return escaped
      default: throw Refused()
      }
    // Sets in sets, intersections, and signs that stand for themselves at certain places only.
    case 0x5B, 0x5D, 0x2D: throw Refused()
    case 0x26 where isNext("&"): throw Refused()
    default: return scalar
    }
  }

  /// The letters of the contractions in both cases. Others fold to several characters, or several of
  /// them to one.
  private static func folded(
    _ characters: SplitExpression.Characters
  ) throws(Refused) -> SplitExpression.Characters {
    var folded = SplitExpression.Characters(isNegated: false)
    guard !characters.isNegated, characters.classes.isEmpty, characters.kinds.isEmpty,
      !characters.hasSymbols, !characters.hasNonSpaces
    else { throw Refused() }
    for range in characters.ranges {
      let scalar = range.lowerBound
      guard range.count == 1 else { throw Refused() }
      if scalar == 0x27 {
        folded.ranges.append(range)
      } else if "strevmld".unicodeScalars.contains(where: { $0.value == scalar }) {
        folded.ranges += [range, (scalar - 0x20)...(scalar - 0x20)]
        if scalar == 0x73 { folded.ranges.append(0x17F...0x17F) }  // ſ
      } else {
        throw Refused()
      }
    }
    return folded
  }
}
