package import JSON

/// What the files of a model's folder say of its tokenizer, put together as transformers 5 does.
///
/// tokenizer.json has the model and most tokens. Others may be named in tokenizer_config.json
/// (`added_tokens_decoder`, `extra_special_tokens`, `additional_special_tokens`, any `*_token`), and in
/// special_tokens_map.json and added_tokens.json, which count only without `added_tokens_decoder`. A
/// token that the vocabulary does not hold gets the next free id, whatever id its file names.
package struct TokenizerFolder {
  package var document: JSONValue
  package var config: JSONValue
  package var specialTokensMap: JSONValue?
  package var addedTokens: JSONValue?

  package init(
    document: JSONValue, config: JSONValue? = nil, specialTokensMap: JSONValue? = nil,
    addedTokens: JSONValue? = nil
  ) {
    self.document = document
    self.config = config ?? [:]
    self.specialTokensMap = specialTokensMap
    self.addedTokens = addedTokens
  }

  /// Named tokens in the order in which they are added.
  private static let names = [
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
  ]

  /// The tokenizer, and errors with the path of tokenizer.json.
  package func tokenizer(path: String? = nil) throws(TokenizerError) -> Tokenizer {
    do throws(TokenizerError) {
      let config = JSONField(value: merged(), path: "")
      var document = document
      let list = JSONField(value: document["added_tokens"] ?? .array([]), path: "added_tokens")
      let known = try list.value.isNull ? [] : list.array().map(AddedToken.init)
      let new = try wanted(config, known)
      if !new.isEmpty, var members = document.object {
        let (ids, size) = try Self.vocabulary(document)
        members["added_tokens"] = .array(
          Self.added(new, to: known, ids: ids, size: size).map(\.json))
        document = .object(members)
      }
      var tokenizer = try Tokenizer(document: document)
      try tokenizer.apply(config: config.value)
      return tokenizer
    } catch {
      throw TokenizerError(error.problem, path: path)
    }
  }

  /// The configuration with what special_tokens_map.json says in place of its own.
  func merged() -> JSONValue {
    guard var config = config.object else { return config }
    // One name for both; the newer one counts when both are there.
    func rename(_ object: inout JSONObject) {
      let extra = object["extra_special_tokens"]
      let isEmpty = extra?.isNull ?? true || extra?.array?.isEmpty ?? false
      if let old = object["additional_special_tokens"], isEmpty {
        object["extra_special_tokens"] = old
      }
      object["additional_special_tokens"] = nil
    }
    rename(&config)
    guard config["added_tokens_decoder"] == nil, let map = specialTokensMap?.object else {
      return .object(config)
    }
    for member in map.members {
      switch member.key {
      case "extra_special_tokens":
        if let list = member.value.array {
          let old = config["extra_special_tokens"]?.array ?? []
          let more = list.filter { token in
            !old.contains { Self.content(of: $0) == Self.content(of: token) }
          }
          config[member.key] = .array(old + more)
        } else {
          config[member.key] = member.value
        }
      default: config[member.key] = member.value
      }
    }
    return .object(config)
  }

  private static func content(of token: JSONValue) -> [UInt8]? {
    (token.string ?? token["content"]?.string).map { Array($0.utf8) }
  }

  /// Tokens that the files name, in the order in which they are added; some may be there already.
  private func wanted(
    _ config: JSONField, _ known: [AddedToken]
  ) throws(TokenizerError) -> [AddedToken] {
    var named: [AddedToken] = []
    for name in Self.names {
      if let field = config[name] { named.append(try AddedToken(naming: field)) }
    }
    let others = config.value.object?.members.filter { member in
      member.key.hasSuffix("_token") && !Self.names.contains(member.key)
        && member.value.string != nil
    }
    for member in others ?? [] {
      named.append(try AddedToken(naming: JSONField(value: member.value, path: member.key)))
    }
    var extra: [AddedToken] = []
    if let field = config["extra_special_tokens"] ?? config["additional_special_tokens"] {
      if let members = field.value.object?.members {
        for member in members {
          let field = JSONField(value: member.value, path: "extra_special_tokens.\(member.key)")
          named.append(try AddedToken(naming: field))
        }
      } else {
        for field in try field.array() { extra.append(try AddedToken(naming: field)) }
      }
    }
    // The map's additional_special_tokens do not make those of added_tokens.json special.
    let isExtraNamed = config["extra_special_tokens"] != nil
    let special = named.prefix(Self.names.count { config[$0] != nil }) + (isExtraNamed ? extra : [])
    var listed = try numbered(config, known, special: Set(special.map(\.content)))
    let names = Set(named.map(\.content))
    for i in listed.indices where names.contains(listed[i].content) { listed[i].special = true }
    let present = Set(known.map(\.content)).union(listed.map(\.content))
    return listed + (named + extra).filter { !present.contains($0.content) }
  }

  /// Tokens that the files number, by number: those of `added_tokens_decoder`, or else those of
  /// added_tokens.json unless tokenizer.json has a token of that number.
  private func numbered(
    _ config: JSONField, _ known: [AddedToken], special: Set<[UInt8]>
  ) throws(TokenizerError) -> [AddedToken] {
    var tokens: [AddedToken] = []
    if let decoder = config["added_tokens_decoder"] {
      guard let members = decoder.value.object?.members else { throw decoder.invalid("an object") }
      for member in members {
        let field = JSONField(value: member.value, path: decoder.path + "." + member.key)
        var token = try AddedToken(naming: field, special: false)
        guard let id = Int32(member.key), id >= 0 else { throw field.invalid("under a token id") }
        token.id = id
        tokens.append(token)
      }
    } else if let members = addedTokens?.object?.members {
      let taken = Set(known.map(\.id))
      for member in members {
        let id = try JSONField(value: member.value, path: "added_tokens.json: \(member.key)").id()
        if taken.contains(id) { continue }
        var token = AddedToken(id: id, content: Array(member.key.utf8))
        token.special = special.contains(token.content)
        token.normalized = !token.special
        tokens.append(token)
      }
    }
    return tokens.sorted { $0.id < $1.id }
  }

  /// The `known` tokens and those that the files add.
  ///
  /// - Parameters:
  ///   - ids: Of the model's own tokens.
  ///   - size: How many there are.
  func allTokens(
    known: [AddedToken], ids: [[UInt8]: Int32], size: Int
  ) throws(TokenizerError) -> [AddedToken] {
    let new = try wanted(JSONField(value: merged(), path: ""), known)
    return Self.added(new, to: known, ids: ids, size: size)
  }

  /// `known` and the `new` tokens with their ids: those of the vocabulary, or the next free ones.
  private static func added(
    _ new: [AddedToken], to known: [AddedToken], ids: [[UInt8]: Int32], size: Int
  ) -> [AddedToken] {
    var ids = ids
    var places: [[UInt8]: Int] = [:]
    var tokens = known
    for (i, token) in tokens.enumerated() {
      ids[token.content] = token.id
      places[token.content] = i
    }
    var next = Int32(max(size, Int(known.map(\.id).max() ?? -1) + 1))
    for var token in new where !token.content.isEmpty {
      if let id = ids[token.content] {
        token.id = id
      } else {
        token.id = next
        next += 1
        ids[token.content] = token.id
      }
      if let place = places[token.content] {
        tokens[place] = token
      } else {
        places[token.content] = tokens.count
        tokens.append(token)
      }
    }
    return tokens
  }

  /// The ids of the model's own tokens, and how many there are.
  private static func vocabulary(
    _ document: JSONValue
  ) throws(TokenizerError) -> (ids: [[UInt8]: Int32], size: Int) {
    var ids: [[UInt8]: Int32] = [:]
    let field = try JSONField(value: document, path: "").required("model").required("vocab")
    if let members = field.value.object?.members {
      for member in members {
        ids[Array(member.key.utf8)] = member.value.integer.flatMap { Int32(exactly: $0) }
      }
      return (ids, members.count)
    }
    let pairs = field.value.array ?? []
    for (id, pair) in pairs.enumerated() {
      if let token = pair.array?.first?.string { ids[Array(token.utf8)] = Int32(exactly: id) }
    }
    return (ids, pairs.count)
  }
}

extension AddedToken {
  /// A token by its spelling alone, which is special, or by an object with its properties.
  fileprivate init(naming field: JSONField, special standard: Bool = true) throws(TokenizerError) {
    if let text = field.value.string {
      self.init(id: 0, content: Array(text.utf8), special: true)
      return
    }
    let special = try field.flag("special", default: standard)
    self.init(id: 0, content: try field.required("content").bytes(), special: special)
    singleWord = try field.flag("single_word")
    leftStrip = try field.flag("lstrip")
    rightStrip = try field.flag("rstrip")
    normalized = try field.flag("normalized", default: !special)
  }

  var json: JSONValue {
    [
      "id": JSONValue(Int(id)), "content": .string(String(decoding: content, as: UTF8.self)),
      "single_word": .bool(singleWord), "lstrip": .bool(leftStrip), "rstrip": .bool(rightStrip),
      "normalized": .bool(normalized), "special": .bool(special),
    ]
  }
}
