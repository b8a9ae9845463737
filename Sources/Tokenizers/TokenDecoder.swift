/// One step from tokens back to text.
enum TokenDecoder: Equatable, Sendable {
  /// Stand-ins become bytes again, and all tokens one text.
  case byteLevel
  /// `<0x0A>` becomes its byte; runs that are no UTF-8 become replacement characters.
  case byteFallback
  /// All tokens become one.
  case fuse
  /// Takes up to so many of `content` from either end of each token.
  case strip(content: [UInt8], start: Int, stop: Int)
  case replace([UInt8], with: [UInt8])
  case metaspace(replacement: [UInt8], dropsFirst: Bool)

  /// Applies the step to a list of tokens.
  ///
  /// - Parameters:
  ///   - isStart: Whether the list starts the text; a stream hands over one token at a time.
  ///   - repairs: Whether bytes that are no UTF-8 become U+FFFD, or stay as they are.
  func apply(to tokens: [[UInt8]], isStart: Bool, repairs: Bool) -> [[UInt8]] {
    switch self {
    case .byteLevel:
      let bytes = tokens.flatMap { ByteAlphabet.bytes(of: $0.span) ?? $0 }
      return [repairs ? bytes.repairedUTF8 : bytes]
    case .byteFallback: return Self.joinByteTokens(tokens, repairs: repairs)
    case .fuse: return [tokens.flatMap { $0 }]
    case .strip(let content, let start, let stop):
      return tokens.map { Self.strip($0, content, isStart ? start : 0, stop) }
    case .replace(let old, let new): return tokens.map { $0.replacingAll(old, with: new) }
    case .metaspace(let replacement, let dropsFirst):
      return tokens.enumerated().map { i, token in
        token.replacingAll(replacement, with: isStart && i == 0 && dropsFirst ? [] : [0x20])
      }
    }
  }

  private static func strip(
    _ token: [UInt8], _ content: [UInt8], _ start: Int, _ stop: Int
  ) -> [UInt8] {
    guard !content.isEmpty else { return token }
    var rest = token[...]
    var taken = 0
    while taken < start, rest.starts(with: content) {
      rest = rest.dropFirst(content.count)
      taken += 1
    }
    taken = 0
    while taken < stop, rest.suffix(content.count) == content[...] {
      rest = rest.dropLast(content.count)
      taken += 1
    }
    return Array(rest)
  }

  private static func joinByteTokens(_ tokens: [[UInt8]], repairs: Bool) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var pending: [UInt8] = []
    func flush() {
      if pending.isEmpty { return }
      if !repairs || String(validating: pending, as: UTF8.self) != nil {
        result.append(pending)
      } else {
        for _ in pending { result.append(Array("\u{FFFD}".utf8)) }
      }
      pending = []
    }
    for token in tokens {
      if let byte = byteToken(token) {
        pending.append(byte)
      } else {
        flush()
        result.append(token)
      }
    }
    flush()
    return result
  }

  /// The byte that a token of the form `<0x0A>` stands for.
  private static func byteToken(_ token: [UInt8]) -> UInt8? {
    guard token.count == 6, token.starts(with: Array("<0x".utf8)), token[5] == UInt8(ascii: ">")
    else { return nil }
    return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
  }
}
