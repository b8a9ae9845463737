/// A text and the pieces it is cut into; no merge crosses the border of a piece.
struct PieceList {
  var text: [UInt8]
  var pieces: [Range<Int>]
  /// Whether the text stands at the very start of what is encoded.
  var startsInput: Bool

  /// Bytes of the pieces, which may be few of a long text.
  var byteCount: Int { pieces.reduce(0) { $0 + $1.count } }
}

/// One step from text to pieces.
enum PreTokenizer: Equatable, Sendable {
  enum PrependScheme: String, Sendable {
    case always
    case first
    case never
  }

  case split(TextPattern, SplitBehavior, invert: Bool)
  /// The same where the stand-ins for the bytes are looked at: behind `ByteLevel`.
  case spelledSplit(TextPattern, SplitBehavior, invert: Bool)
  /// A space goes before each piece that has none in front.
  case prefixSpace
  /// Spaces become `replacement`, one goes in front, and pieces start at each.
  case metaspace(replacement: [UInt8], PrependScheme, split: Bool)

  func apply(to list: inout PieceList) throws(TokenizerError) {
    switch self {
    case .split(let pattern, let behavior, let invert):
      var pieces: [Range<Int>] = []
      pieces.reserveCapacity(list.byteCount / 4)
      var work = Self.work(for: list)
      for piece in list.pieces {
        behavior.split(
          list.text.span, piece, at: pattern, invert: invert, into: &pieces, work: &work)
      }
      if work <= 0 { throw TokenizerError(.splitTooSlow(bytes: list.byteCount)) }
      list.pieces = pieces
    case .spelledSplit(let pattern, let behavior, let invert):
      var pieces: [Range<Int>] = []
      var work = Self.work(for: list)
      for piece in list.pieces {
        var spelled: [UInt8] = []
        // The place in the piece of each byte of its spelling, and of its end.
        var places: [Int] = []
        for place in piece {
          spelled += ByteAlphabet.spelling(of: list.text[place])
          while places.count < spelled.count { places.append(place) }
        }
        places.append(piece.upperBound)
        var found: [Range<Int>] = []
        behavior.split(
          spelled.span, 0..<spelled.count, at: pattern, invert: invert, into: &found, work: &work)
        pieces += found.map { places[$0.lowerBound]..<places[$0.upperBound] }
      }
      if work <= 0 { throw TokenizerError(.splitTooSlow(bytes: list.byteCount)) }
      list.pieces = pieces
    case .prefixSpace:
      Self.rewrite(&list) { source, piece, output in
        if source[piece.lowerBound] != 0x20 { output.append(0x20) }
        output.append(contentsOf: source[piece])
      }
    case .metaspace(let replacement, let scheme, let split):
      let startsInput = list.startsInput
      Self.rewrite(&list) { source, piece, output in
        let start = output.count
        for byte in source[piece] {
          if byte == 0x20 { output.append(contentsOf: replacement) } else { output.append(byte) }
        }
        let isFirst = startsInput && piece.lowerBound == 0
        if scheme == .always || scheme == .first && isFirst,
          !output[start...].starts(with: replacement)
        {
          output.insert(contentsOf: replacement, at: start)
        }
      }
      guard split else { return }
      let cut = Self.split(.literal(replacement), .mergedWithNext, invert: false)
      try cut.apply(to: &list)
    }
  }

  /// Characters that an expression may look at: many times more than any usual one does.
  private static func work(for list: PieceList) -> Int { (1 << 24) + 256 * list.byteCount }

  /// Builds the text anew, piece by piece.
  private static func rewrite(
    _ list: inout PieceList, _ body: ([UInt8], Range<Int>, inout [UInt8]) -> Void
  ) {
    var output: [UInt8] = []
    output.reserveCapacity(list.byteCount + list.byteCount / 4)
    var pieces: [Range<Int>] = []
    for piece in list.pieces where !piece.isEmpty {
      let start = output.count
      body(list.text, piece, &output)
      pieces.append(start..<output.count)
    }
    list.text = output
    list.pieces = pieces
  }
}
