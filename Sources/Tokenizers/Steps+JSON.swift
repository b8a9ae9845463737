extension Normalizer {
  static func read(_ field: JSONField?) throws(TokenizerError) -> [Normalizer] {
    var steps: [Normalizer] = []
    for step in try field?.flattened("normalizers") ?? [] {
      switch try step.type() {
      case "NFC", "NFD", "NFKC", "NFKD":
        steps.append(.form(NormalForm(rawValue: try step.type()) ?? .composed))
      case "Lowercase": steps.append(.lowercase)
      case "StripAccents": steps.append(.stripAccents)
      case "Strip":
        let left = try step.flag("strip_left", default: true)
        steps.append(.strip(left: left, right: try step.flag("strip_right", default: true)))
      case "Prepend": steps.append(.prepend(try step.required("prepend").bytes()))
      case "Replace":
        let old = try TextPattern.literalBytes(step.required("pattern"))
        steps.append(.replace(old, with: try step.required("content").bytes()))
      case let type: throw step.unsupported(type)
      }
    }
    return steps
  }
}

extension PreTokenizer {
  /// The steps of a pre-tokenizer, and whether the model sees bytes spelled by stand-ins.
  static func read(
    _ field: JSONField?
  ) throws(TokenizerError) -> (steps: [PreTokenizer], isByteLevel: Bool) {
    var steps: [PreTokenizer] = []
    var isByteLevel = false
    for step in try field?.flattened("pretokenizers") ?? [] {
      let type = try step.type()
      let count = steps.count
      let followsBytes = isByteLevel
      switch type {
      case "ByteLevel":
        isByteLevel = true
        if try step.flag("add_prefix_space", default: true) { steps.append(.prefixSpace) }
        if try step.flag("use_regex", default: true) {
          steps.append(.split(.words(.gpt2), .isolated, invert: false))
        }
      case "Split":
        let behavior = try SplitBehavior(reading: step.required("behavior"))
        let pattern = try TextPattern(reading: step.required("pattern"))
        steps.append(.split(pattern, behavior, invert: try step.flag("invert")))
      case "Digits":
        let single = try step.flag("individual_digits")
        steps.append(.split(.scalars(.numeric), single ? .isolated : .contiguous, invert: false))
      case "Punctuation":
        let behavior = try step["behavior"].map(SplitBehavior.init(reading:)) ?? .isolated
        steps.append(.split(.scalars(.punctuation), behavior, invert: false))
      case "Whitespace": steps.append(.split(.wordsAndSigns, .removed, invert: true))
      case "WhitespaceSplit": steps.append(.split(.scalars(.space), .removed, invert: false))
      case "CharDelimiterSplit":
        let delimiter = try step.required("delimiter").nonemptyBytes()
        steps.append(.split(.literal(delimiter), .removed, invert: false))
      case "Metaspace": steps.append(try metaspace(step))
      default: throw step.unsupported(type)
      }
      guard followsBytes else { continue }
      guard type != "ByteLevel", steps.count == count + 1, let spelled = steps[count].overSpelling
      else { throw step.unsupported("\(type) after ByteLevel") }
      steps[count] = spelled
    }
    return (steps, isByteLevel)
  }

  /// The step as it is behind `ByteLevel`; nil for one that cannot stand there.
  private var overSpelling: PreTokenizer? {
    guard case .split(let pattern, let behavior, let invert) = self else { return nil }
    return .spelledSplit(pattern, behavior, invert: invert)
  }

  private static func metaspace(_ step: JSONField) throws(TokenizerError) -> PreTokenizer {
    let scheme = try PrependScheme(reading: step)
    return .metaspace(
      replacement: try step.required("replacement").nonemptyBytes(), scheme,
      split: try step.flag("split", default: true))
  }
}

extension PreTokenizer.PrependScheme {
  /// Reads `prepend_scheme`, or `add_prefix_space` of older files.
  init(reading step: JSONField) throws(TokenizerError) {
    guard let field = step["prepend_scheme"] else {
      self = try step.flag("add_prefix_space", default: true) ? .always : .never
      return
    }
    guard let scheme = Self(rawValue: try field.string()) else {
      throw field.invalid("always, first or never")
    }
    self = scheme
  }
}

extension SplitBehavior {
  init(reading field: JSONField) throws(TokenizerError) {
    guard let behavior = SplitBehavior(rawValue: try field.string()) else {
      throw field.invalid(
        "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous")
    }
    self = behavior
  }
}

extension TextPattern {
  init(reading field: JSONField) throws(TokenizerError) {
    guard let regex = field["Regex"] else {
      self = .literal(try Self.literalBytes(field))
      return
    }
    let text = try regex.string()
    if let cased = CasedPattern.named[text] {
      self = .casedWords(cased)
      return
    }
    if let words = WordPattern.named[text] {
      self = .words(words)
      return
    }
    guard let expression = SplitExpressionParser.parse(text) else {
      throw regex.unsupported("\"\(text)\"")
    }
    self = .expression(expression)
  }

  /// The bytes of a `{"String": …}` pattern.
  static func literalBytes(_ field: JSONField) throws(TokenizerError) -> [UInt8] {
    if let regex = field["Regex"] { throw regex.unsupported("\"\(try regex.string())\"") }
    return try field.required("String").nonemptyBytes()
  }
}

extension TokenDecoder {
  static func read(_ field: JSONField) throws(TokenizerError) -> [TokenDecoder] {
    var steps: [TokenDecoder] = []
    for step in try field.flattened("decoders") {
      switch try step.type() {
      case "ByteLevel": steps.append(.byteLevel)
      case "ByteFallback": steps.append(.byteFallback)
      case "Fuse": steps.append(.fuse)
      case "Strip":
        steps.append(
          .strip(
            content: try step.required("content").bytes(),
            start: Int(try step.required("start").id()), stop: Int(try step.required("stop").id())))
      case "Replace":
        let old = try TextPattern.literalBytes(step.required("pattern"))
        steps.append(.replace(old, with: try step.required("content").bytes()))
      case "Metaspace":
        let scheme = try PreTokenizer.PrependScheme(reading: step)
        steps.append(
          .metaspace(
            replacement: try step.required("replacement").nonemptyBytes(),
            dropsFirst: scheme != .never))
      case let type: throw step.unsupported(type)
      }
    }
    return steps
  }
}
