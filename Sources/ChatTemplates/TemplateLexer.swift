/// One word of a template's source.
struct TemplateToken: Equatable, Sendable {
  enum Kind: Equatable, Sendable {
    case text(String)
    /// `{{` and `}}`.
    case outputStart
    case outputEnd
    /// `{%` and `%}`.
    case blockStart
    case blockEnd
    case name(String)
    case string(String)
    case integer(Int)
    case float(Double)
    case symbol(String)
    case end
  }

  var kind: Kind
  var line: Int
}

/// Cuts a template into words, with white space around tags as Hugging Face sets Jinja up:
/// a line end after a block goes, and so does the indentation before one.
struct TemplateLexer {
  private let source: [UInt8]
  private var position = 0
  private var line = 1
  private var tokens: [TemplateToken] = []
  /// The text so far ends at the start of a line.
  private var startsLine = true

  private static let symbols = [
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "(", ")", "[", "]", "{", "}",
    ",", ":", ".", "=", "|", "<", ">",
  ].map { Array($0.utf8) }

  private init(_ text: String) {
    // Line ends are unified, and the last one is no part of the template.
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    var isAfterReturn = false
    for byte in text.utf8 {
      if !(byte == 0x0A && isAfterReturn) { bytes.append(byte == 0x0D ? 0x0A : byte) }
      isAfterReturn = byte == 0x0D
    }
    if bytes.last == 0x0A { bytes.removeLast() }
    source = bytes
  }

  /// The words of `text`; the last one is the end.
  static func tokens(of text: String) throws(ChatTemplateError) -> [TemplateToken] {
    var lexer = TemplateLexer(text)
    while lexer.position < lexer.source.count { try lexer.readTextAndTag() }
    lexer.add(.end)
    return lexer.tokens
  }

  private mutating func add(_ kind: TemplateToken.Kind) {
    tokens.append(TemplateToken(kind: kind, line: line))
  }

  private func has(_ word: String, at offset: Int) -> Bool {
    source[min(offset, source.count)...].starts(with: word.utf8)
  }

  private mutating func advance(to end: Int) {
    for byte in source[position..<end] where byte == 0x0A { line += 1 }
    position = end
  }

  private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  private mutating func readTextAndTag() throws(ChatTemplateError) {
    var tag = position
    while tag < source.count, !(has("{{", at: tag) || has("{%", at: tag) || has("{#", at: tag)) {
      tag += 1
    }
    var text = source[position..<tag]
    let sign = tag + 2 < source.count ? source[tag + 2] : 0
    if tag < source.count {
      if sign == UInt8(ascii: "-") {
        while let last = text.last, isSpace(last) { text.removeLast() }
      } else if sign != UInt8(ascii: "+"), !has("{{", at: tag) {
        let lineStart = text.lastIndex(of: 0x0A).map { $0 + 1 }
        if lineStart != nil || startsLine, text[(lineStart ?? position)...].allSatisfy(isSpace) {
          text = text[..<(lineStart ?? position)]
        }
      }
    }
    if !text.isEmpty { add(.text(String(decoding: text, as: UTF8.self))) }
    advance(to: tag)
    guard tag < source.count else { return }
    startsLine = false
    switch source[tag + 1] {
    case UInt8(ascii: "#"): try readComment()
    case UInt8(ascii: "{"): try readTag(.outputStart, .outputEnd, closing: "}}")
    default: try readTag(.blockStart, .blockEnd, closing: "%}")
    }
  }

  private mutating func readComment() throws(ChatTemplateError) {
    let start = line
    while position < source.count, !has("#}", at: position) { advance(to: position + 1) }
    guard position < source.count else {
      throw ChatTemplateError(.syntax(wanted: "#}", found: "the end"), line: start)
    }
    closeTag(strips: source[position - 1] == UInt8(ascii: "-"), trimsLineEnd: true)
  }

  /// Steps over the two closing bytes and the white space that goes with them.
  private mutating func closeTag(strips: Bool, trimsLineEnd: Bool, keeps: Bool = false) {
    var end = position + 2
    if strips {
      while end < source.count, isSpace(source[end]) { end += 1 }
    } else if trimsLineEnd, !keeps, end < source.count, source[end] == 0x0A {
      end += 1
    }
    startsLine = source[end - 1] == 0x0A
    advance(to: end)
  }

  private mutating func readTag(
    _ opening: TemplateToken.Kind, _ ending: TemplateToken.Kind, closing: String
  ) throws(ChatTemplateError) {
    add(opening)
    let isBlock = opening == .blockStart
    position += 2
    if position < source.count, [UInt8(ascii: "-"), UInt8(ascii: "+")].contains(source[position]) {
      position += 1
    }
    var depth = 0
    while true {
      while position < source.count, isSpace(source[position]) { advance(to: position + 1) }
      guard position < source.count else {
        throw ChatTemplateError(.syntax(wanted: closing, found: "the end"), line: line)
      }
      let byte = source[position]
      let isSigned =
        (byte == UInt8(ascii: "-") || isBlock && byte == UInt8(ascii: "+"))
        && has(closing, at: position + 1)
      if isSigned || has(closing, at: position) && depth == 0 {
        add(ending)
        if isSigned { position += 1 }
        closeTag(
          strips: isSigned && byte == UInt8(ascii: "-"), trimsLineEnd: isBlock, keeps: isSigned)
        return
      }
      try readWord()
      switch tokens.last?.kind {
      case .symbol("{"): depth += 1
      case .symbol("}"): depth -= 1
      default: break
      }
    }
  }

  private mutating func readWord() throws(ChatTemplateError) {
    let byte = source[position]
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): try readNumber()
    case UInt8(ascii: "'"), UInt8(ascii: "\""): try readString(quote: byte)
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "_"):
      var end = position
      while end < source.count, isWordByte(source[end]) { end += 1 }
      add(.name(String(decoding: source[position..<end], as: UTF8.self)))
      position = end
    default:
      let rest = source[position...]
      guard let symbol = Self.symbols.first(where: { rest.starts(with: $0) }) else {
        let found = String(decoding: rest.prefix(1), as: UTF8.self)
        throw ChatTemplateError(.syntax(wanted: "an expression", found: found), line: line)
      }
      add(.symbol(String(decoding: symbol, as: UTF8.self)))
      position += symbol.count
    }
  }

  private func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  private mutating func readNumber() throws(ChatTemplateError) {
    func digits(from start: Int) -> Int {
      var end = start
      while end < source.count, (0x30...0x39).contains(source[end]) { end += 1 }
      return end
    }
    var end = digits(from: position)
    var isFloat = false
    if has(".", at: end), digits(from: end + 1) > end + 1 {
      end = digits(from: end + 1)
      isFloat = true
    }
    let text = String(decoding: source[position..<end], as: UTF8.self)
    if isFloat, let value = Double(text) {
      add(.float(value))
    } else if let value = Int(text) {
      add(.integer(value))
    } else {
      throw ChatTemplateError(.syntax(wanted: "a number", found: text), line: line)
    }
    position = end
  }

  private mutating func readString(quote: UInt8) throws(ChatTemplateError) {
    var bytes: [UInt8] = []
    var end = position + 1
    while end < source.count, source[end] != quote {
      if source[end] == UInt8(ascii: "\\"), end + 1 < source.count {
        end += 1
        switch source[end] {
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): bytes.append(source[end])
        case UInt8(ascii: "u"):
          let digits = String(decoding: source[(end + 1)...].prefix(4), as: UTF8.self)
          guard digits.utf8.count == 4, let value = UInt32(digits, radix: 16),
            let scalar = Unicode.Scalar(value)
          else {
            throw ChatTemplateError(
              .syntax(wanted: "\\u and four digits", found: digits), line: line)
          }
          bytes.append(contentsOf: String(scalar).utf8)
          end += 4
        case let other: bytes += [UInt8(ascii: "\\"), other]
        }
      } else {
        bytes.append(source[end])
      }
      end += 1
    }
    guard end < source.count else {
      throw ChatTemplateError(.syntax(wanted: "a closing quote", found: "the end"), line: line)
    }
    add(.string(String(decoding: bytes, as: UTF8.self)))
    advance(to: end + 1)
  }
}
