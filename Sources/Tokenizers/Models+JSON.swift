import JSON

extension Vocabulary {
  /// Reads the `vocab` object of a BPE model.
  init(reading field: JSONField, added: [AddedToken]) throws(TokenizerError) {
    guard let members = field.value.object?.members else { throw field.invalid("an object") }
    var entries: [(token: String, id: Int)] = []
    entries.reserveCapacity(members.count)
    for member in members {
      guard let id = member.value.integer, id >= 0 else {
        throw TokenizerError(.invalid("\(field.path)[\"\(member.key)\"]", wanted: "a token id"))
      }
      entries.append((member.key, id))
    }
    try self.init(entries, added: added)
  }

  /// The id of the token for unknown characters that `field` names, if it is there.
  func unknown(_ field: JSONField?) throws(TokenizerError) -> Int32? {
    guard let field else { return nil }
    let name = try field.string()
    guard let id = find(name.utf8.span) else {
      throw TokenizerError(.unknownToken(field.path, token: name))
    }
    return id
  }
}

extension UnigramModel {
  /// Reads a model of type `Unigram`.
  init(_ field: JSONField, added: [AddedToken]) throws(TokenizerError) {
    let list = try field.required("vocab")
    guard let pairs = list.value.array else { throw list.invalid("an array") }
    var entries: [(token: String, id: Int)] = []
    var scores: [Double] = []
    for (id, pair) in pairs.enumerated() {
      guard let pair = pair.array, pair.count == 2, let token = pair[0].string,
        let score = pair[1].double, score.isFinite
      else { throw TokenizerError(.invalid("\(list.path)[\(id)]", wanted: "a token and a score")) }
      try Tokenizer.checkLength(of: "\(list.path)[\(id)]", token.utf8.count)
      entries.append((token, id))
      scores.append(score)
    }
    let unknown = try field["unk_id"]?.id()
    if let unknown, Int(unknown) >= scores.count {
      throw TokenizerError(.idOutOfRange(Int(unknown), vocabularySize: scores.count))
    }
    let vocabulary = try Vocabulary(entries, added: added)
    self.init(
      vocabulary: vocabulary, scores: scores, unknown: unknown,
      byteFallback: try field.flag("byte_fallback") ? vocabulary.byteTokens : [])
  }
}

extension BytePairModel {
  /// Reads a model of type `BPE`.
  init(
    _ field: JSONField, _ vocabulary: Vocabulary, isByteLevel: Bool
  ) throws(TokenizerError) {
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let affix = field[key], affix.value.string != "" {
        throw affix.unsupported("a marker \(affix.value.text())")
      }
    }
    if let dropout = field["dropout"], dropout.value.double != 0 {
      throw dropout.unsupported("random dropout")
    }
    let unknown = try vocabulary.unknown(field["unk_token"])
    let symbols = (UInt8.min...UInt8.max).map { byte in
      vocabulary.find(ByteAlphabet.spelling(of: byte)) ?? -1
    }
    let merges = try Self.merges(field["merges"], vocabulary)
    self.init(
      vocabulary: vocabulary, merges: merges.table, unknown: unknown,
      fusesUnknown: try field.flag("fuse_unk"),
      byteFallback: try field.flag("byte_fallback") ? vocabulary.byteTokens : [],
      ignoresMerges: try field.flag("ignore_merges"), byteSymbols: isByteLevel ? symbols : [])
    keepsMarksInFront =
      !isByteLevel && !ignoresMerges && !merges.joinsBeforeMark
      && vocabulary.find(TextPattern.mark) != nil
  }

  /// Reads merges, each `"a b"` or `["a", "b"]`; the place in the list is the rank.
  private static func merges(
    _ field: JSONField?, _ vocabulary: Vocabulary
  ) throws(TokenizerError) -> (table: MergeTable, joinsBeforeMark: Bool) {
    guard let field else { return (MergeTable(capacity: 0), false) }
    guard let list = field.value.array else { throw field.invalid("an array") }
    var merges = MergeTable(capacity: list.count)
    var rank: UInt32 = 0
    var joinsBeforeMark = false
    for (i, value) in list.enumerated() {
      if let line = value.string, line.hasPrefix("#version") { continue }
      guard let (left, right) = pair(value) else {
        throw TokenizerError(.invalid("\(field.path)[\(i)]", wanted: "two tokens"))
      }
      func find(_ token: [UInt8]) throws(TokenizerError) -> Int32 {
        if let id = vocabulary.find(token) { return id }
        throw TokenizerError(
          .unknownMergeToken(merge: i, token: String(decoding: token, as: UTF8.self)))
      }
      let merged = try find(left + right)
      if right.starts(with: TextPattern.mark), left.suffix(3) != TextPattern.mark[...] {
        joinsBeforeMark = true
      }
      merges.set(
        try find(left), try find(right), MergeTable.Merge(rank: rank, id: merged))
      rank += 1
    }
    return (merges, joinsBeforeMark)
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
}
