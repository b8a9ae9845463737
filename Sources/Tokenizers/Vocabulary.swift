/// The spelling of every token, by id.
///
/// Ids run from zero without a hole. The model finds its own tokens by spelling; the added ones
/// are cut out of the text before, so it never meets them.
struct Vocabulary: Sendable {
  /// The model's tokens, numbered by id; in the places of others stands what no text holds.
  private var table: ByteStringTable
  /// Spelling of added tokens.
  private var added: [Int32: [UInt8]] = [:]

  var count: Int { table.count }

  /// Collects the model's tokens and the added ones.
  init(
    _ entries: [(token: String, id: Int)], added tokens: [AddedToken]
  ) throws(TokenizerError) {
    let size = entries.count + tokens.count
    // Place of the entry of each id; the size bounds what a hostile id can allocate.
    var places = [Int](repeating: -1, count: size)
    for (place, entry) in entries.enumerated() {
      guard entry.id < size else { throw Self.hole(entries, tokens) }
      if places[entry.id] >= 0 {
        throw TokenizerError(.duplicateID(entry.id, entries[places[entry.id]].token, entry.token))
      }
      places[entry.id] = place
    }
    var spellings: Set<[UInt8]> = []
    for token in tokens {
      let text = String(decoding: token.content, as: UTF8.self)
      guard Int(token.id) < size else { throw Self.hole(entries, tokens) }
      let other = places[Int(token.id)] >= 0 ? entries[places[Int(token.id)]].token : nil
      if let other = other ?? added[token.id].map({ String(decoding: $0, as: UTF8.self) }),
        !other.utf8.elementsEqual(token.content)
      {
        throw TokenizerError(.duplicateID(Int(token.id), other, text))
      }
      guard spellings.insert(token.content).inserted else {
        throw TokenizerError(.duplicateToken(text))
      }
      added[token.id] = token.content
    }
    table = ByteStringTable(minimumCapacity: size)
    try fill(entries, places, tokens)
  }

  private mutating func fill(
    _ entries: [(token: String, id: Int)], _ places: [Int], _ tokens: [AddedToken]
  ) throws(TokenizerError) {
    let highest = max(
      places.lastIndex { $0 >= 0 } ?? -1, tokens.lazy.map { Int($0.id) }.max() ?? -1)
    for id in 0..<(highest + 1) {
      guard places[id] >= 0 else {
        guard added[Int32(id)] != nil else { throw Self.hole(entries, tokens) }
        let placeholder = [0xFF] + Array("\(id)".utf8)
        table.insert(placeholder.span)
        continue
      }
      let token = entries[places[id]].token
      guard table.find(token.utf8.span) == nil else {
        throw TokenizerError(.duplicateToken(token))
      }
      table.insert(token.utf8.span)
    }
    for token in tokens {
      if let id = table.find(token.content.span), id != Int(token.id) {
        throw TokenizerError(.duplicateToken(String(decoding: token.content, as: UTF8.self)))
      }
    }
  }

  private static func hole(
    _ entries: [(token: String, id: Int)], _ tokens: [AddedToken]
  ) -> TokenizerError {
    let known = Set(entries.lazy.map(\.id)).union(tokens.lazy.map { Int($0.id) })
    let missing = (0...known.count).first { !known.contains($0) } ?? 0
    let last = min(known.max() ?? 0, .max - 1)
    return TokenizerError(.missingID(missing, vocabularySize: last + 1))
  }

  /// The id of the model's token that these bytes spell.
  func find(_ spelling: Span<UInt8>) -> Int32? { table.find(spelling).map { Int32($0) } }

  func find(_ spelling: [UInt8]) -> Int32? { find(spelling.span) }

  /// The id of the token spelled so, an added one or the model's.
  func id(of spelling: [UInt8]) -> Int32? {
    find(spelling) ?? added.first { $0.value == spelling }?.key
  }

  /// The bytes that spell a token of the model.
  @_lifetime(borrow self)
  borrowing func modelSpelling(of id: Int) -> Span<UInt8> { table[id] }

  /// The bytes that spell a token; nil when there is no such id.
  func spelling(of id: Int32) -> [UInt8]? {
    if let added = added[id] { return added }
    guard id >= 0, id < count else { return nil }
    let bytes = table[Int(id)]
    return bytes.indices.map { bytes[$0] }
  }

  /// Tokens `<0x00>` to `<0xFF>`, -1 where absent.
  var byteTokens: [Int32] {
    (0..<256).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return find(Array("<0x\(byte < 16 ? "0" : "")\(digits)>".utf8)) ?? -1
    }
  }
}
