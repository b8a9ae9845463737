/// What SentencePiece does to the spaces of a text before it looks for pieces.
struct SpaceRule: Equatable, Sendable {
  /// A space goes in front of the text.
  var addsPrefix: Bool
  /// It does so in front of a text that starts with one, too.
  var doublesPrefix = true
  /// Spaces vanish from both ends, and others follow one another no more.
  var removesExtra: Bool

  /// `text` with its spaces as `▁`.
  func apply(to text: [UInt8]) -> [UInt8] {
    var rest = text[...]
    if removesExtra { rest = rest.drop { $0 == 0x20 } }
    guard !rest.isEmpty else { return [] }
    let mark = TextPattern.mark
    var result: [UInt8] = []
    result.reserveCapacity(rest.count + rest.count / 4 + mark.count)
    if addsPrefix, doublesPrefix || rest.first != 0x20 && !rest.starts(with: mark) {
      result += mark
    }
    var followsSpace = removesExtra
    for byte in rest {
      guard byte == 0x20 else {
        result.append(byte)
        followsSpace = false
        continue
      }
      if !followsSpace { result += mark }
      followsSpace = removesExtra
    }
    // Marks that the text itself has go, too.
    while removesExtra, result.suffix(mark.count) == mark[...] { result.removeLast(mark.count) }
    return result
  }
}
