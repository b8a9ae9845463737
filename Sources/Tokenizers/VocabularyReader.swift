import JSON

/// Reads the tables of a tokenizer.json's model.
enum VocabularyReader {
  /// The spelling of every token by id: the model's vocabulary and the added tokens.
  ///
  /// Ids must run from zero without a hole, each with one spelling.
  static func tokens(
    of field: JSONField, added: [AddedToken]
  ) throws(TokenizerError) -> [[UInt8]] {
    guard let members = field.value.object?.members else { throw field.invalid("an object") }
    var entries: [(id: Int, token: [UInt8])] = []
    entries.reserveCapacity(members.count + added.count)
    for member in members {
      guard let id = member.value.integer, id >= 0, id < Int(Int32.max) else {
        throw TokenizerError(.invalid(field.path + "." + member.key, wanted: "a token id"))
      }
      entries.append((id, Array(member.key.utf8)))
    }
    return try table(entries, added)
  }

  /// Puts entries in the order of their ids, which must be without holes.
  static func table(
    _ entries: [(id: Int, token: [UInt8])], _ added: [AddedToken]
  ) throws(TokenizerError) -> [[UInt8]] {
    let highest = max(
      entries.lazy.map(\.id).max() ?? -1, added.lazy.map { Int($0.id) }.max() ?? -1)
    var tokens: [[UInt8]?] = Array(
      repeating: nil, count: min(highest + 1, entries.count + added.count))
    func missing() -> TokenizerError {
      let known = Set(entries.map(\.id)).union(added.map { Int($0.id) })
      let id = (0...highest).first { !known.contains($0) } ?? highest
      return TokenizerError(.missingID(id, vocabularySize: highest + 1))
    }
    for (id, token) in entries {
      guard id < tokens.count else { throw missing() }
      if let other = tokens[id] {
        throw TokenizerError(
          .duplicateID(
            id, String(decoding: other, as: UTF8.self), String(decoding: token, as: UTF8.self)))
      }
      tokens[id] = token
    }
    for token in added {
      let id = Int(token.id)
      guard id < tokens.count else { throw missing() }
      if let other = tokens[id], other != token.content {
        throw TokenizerError(
          .duplicateID(
            id, String(decoding: other, as: UTF8.self),
            String(decoding: token.content, as: UTF8.self)))
      }
      tokens[id] = token.content
    }
    var result: [[UInt8]] = []
    result.reserveCapacity(tokens.count)
    for token in tokens {
      guard let token else { throw missing() }
      result.append(token)
    }
    return result
  }
}

extension BytePairModel {
  /// Reads a model of type `BPE`.
  init(
    _ field: JSONField, _ tokens: [[UInt8]], isByteLevel: Bool
  ) throws(TokenizerError) {
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let affix = field[key], affix.value.string != "" {
        throw affix.unsupported("a marker \(affix.value.text())")
      }
    }
    if let dropout = field["dropout"], dropout.value.double != 0 {
      throw dropout.unsupported("random dropout")
    }
    // Only the model's own tokens take part; added ones are cut out before.
    guard let members = field["vocab"]?.value.object?.members else {
      throw TokenizerError(.missing("model.vocab"))
    }
    var known = [Bool](repeating: false, count: tokens.count)
    for member in members { if let id = member.value.integer { known[id] = true } }
    var table = ByteStringTable(minimumCapacity: tokens.count)
    for (id, token) in tokens.enumerated() {
      // No valid text holds these bytes, so nothing finds the number.
      table.insert((known[id] ? token : [0xFF] + Array("\(id)".utf8)).span)
    }
    let unknown: Int32? = try field["unk_token"].map { (name) throws(TokenizerError) in
      let bytes = try name.bytes()
      guard let id = table.find(bytes.span) else {
        throw TokenizerError(.unknownToken(name.path, token: try name.string()))
      }
      return Int32(id)
    }
    func id(_ bytes: [UInt8]) -> Int32 { table.find(bytes.span).map { Int32($0) } ?? -1 }
    let fallback =
      try field.flag("byte_fallback")
      ? (0..<256).map { id(Array("<0x\(Self.hexadecimal($0))>".utf8)) } : []
    let symbols =
      isByteLevel ? (0..<256).map { id(ByteAlphabet.spelling(of: UInt8($0))) } : []
    let merges = try Self.merges(field["merges"], table)
    self.init(
      vocabulary: table, merges: merges, unknown: unknown,
      fusesUnknown: try field.flag("fuse_unk"), byteFallback: fallback,
      ignoresMerges: try field.flag("ignore_merges"), byteSymbols: symbols)
  }

  /// Reads merges, each `"a b"` or `["a", "b"]`; the place in the list is the rank.
  private static func merges(
    _ field: JSONField?, _ table: ByteStringTable
  ) throws(TokenizerError) -> MergeTable {
    guard let field else { return MergeTable(capacity: 0) }
    guard let list = field.value.array else { throw field.invalid("an array") }
    var merges = MergeTable(capacity: list.count)
    var rank: UInt32 = 0
    for (i, value) in list.enumerated() {
      if let line = value.string, line.hasPrefix("#version") { continue }
      guard let (left, right) = pair(value) else {
        throw TokenizerError(.invalid("\(field.path)[\(i)]", wanted: "two tokens"))
      }
      func find(_ token: [UInt8]) throws(TokenizerError) -> Int32 {
        if let id = table.find(token.span) { return Int32(id) }
        throw TokenizerError(
          .unknownMergeToken(merge: i, token: String(decoding: token, as: UTF8.self)))
      }
      let merged = try find(left + right)
      merges.set(
        try find(left), try find(right), MergeTable.Merge(rank: rank, id: merged))
      rank += 1
    }
    return merges
  }

  private static func pair(_ value: JSONValue) -> ([UInt8], [UInt8])? {
    if let array = value.array {
      guard array.count == 2, let left = array[0].string, let right = array[1].string else {
        return nil
      }
      return (Array(left.utf8), Array(right.utf8))
    }
    guard let line = value.string else { return nil }
    let bytes = Array(line.utf8)
    guard let space = bytes.firstIndex(of: 0x20), !bytes[(space + 1)...].contains(0x20) else {
      return nil
    }
    return (Array(bytes[..<space]), Array(bytes[(space + 1)...]))
  }

  private static func hexadecimal(_ byte: Int) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
  }
}
