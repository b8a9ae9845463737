package import JSON

/// The tokenizer that a GGUF file's metadata describes, `tokenizer.ggml.*` without the prefix.
package struct GGUFTokenizerFields: Equatable, Sendable {
  /// Kind of a token, numbered as in `token_type`.
  package enum TokenType: Int32, Sendable {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6
  }

  /// `gpt2` is byte-level BPE, `llama` SentencePiece BPE.
  package var model: String
  /// Name of the splitting rules of byte-level BPE.
  package var pre: String?
  package var tokens: [[UInt8]]
  /// Log probabilities or negated ranks; SentencePiece merges by them.
  package var scores: [Float] = []
  package var tokenTypes: [Int32] = []
  /// Pairs of tokens with a space between.
  package var merges: [[UInt8]] = []
  package var bosID: Int32?
  package var eosID: Int32?
  package var unknownID: Int32?
  package var paddingID: Int32?
  package var addsBOS: Bool?
  package var addsEOS: Bool?
  /// Whether SentencePiece puts a space in front of a text; nil means yes.
  package var addsSpacePrefix: Bool?
  package var chatTemplate: String?
  /// Where the fields, made of another tokenizer, cannot say all that it does: rare texts will get
  /// other tokens.
  package var approximations: [String] = []

  package init(model: String, pre: String? = nil, tokens: [[UInt8]]) {
    self.model = model
    self.pre = pre
    self.tokens = tokens
  }

  /// The content of a tokenizer.json that encodes exactly as the tokenizer read from these fields.
  package func tokenizerJSON() throws(TokenizerError) -> JSONValue {
    try checkCounts()
    let spelled = try spellings(tokens, "tokenizer.ggml.tokens")
    let pipeline: Pipeline
    switch model {
    case "gpt2": pipeline = try bytePair(spelled)
    case "llama": pipeline = try sentencePiece(spelled)
    default: throw TokenizerError(.unsupported("tokenizer.ggml.model", "\"\(model)\""))
    }
    return [
      "version": "1.0", "truncation": .null, "padding": .null,
      "added_tokens": .array(addedTokens(spelled)), "normalizer": pipeline.normalizer,
      "pre_tokenizer": pipeline.preTokenizer, "post_processor": try postProcessor(spelled),
      "decoder": pipeline.decoder, "model": pipeline.model,
    ]
  }

  /// The content of the tokenizer_config.json beside it.
  package func tokenizerConfig() throws(TokenizerError) -> JSONValue {
    var config: JSONObject = [
      "tokenizer_class": "PreTrainedTokenizerFast",
      "add_bos_token": .bool(startsWithBOS), "add_eos_token": .bool(addsEOS ?? false),
      "clean_up_tokenization_spaces": false,
    ]
    for (key, id) in [
      ("bos_token", bosID), ("eos_token", eosID), ("unk_token", unknownID),
      ("pad_token", paddingID),
    ] {
      if let id { config[key] = .string(try spelling(id)) }
    }
    if let chatTemplate { config["chat_template"] = .string(chatTemplate) }
    return .object(config)
  }

  // MARK: Parts

  /// The members of tokenizer.json that depend on the model.
  private struct Pipeline {
    var normalizer: JSONValue = .null
    var preTokenizer: JSONValue = .null
    var decoder: JSONValue
    var model: JSONValue
  }

  /// Llama 3 files leave the flag out although they mean it.
  private var startsWithBOS: Bool {
    guard bosID != nil else { return false }
    let isLlama3 = pre.map { GGUFSplittingRules.named[$0]?.startsWithBOS ?? false } ?? false
    return addsBOS ?? (model == "llama" || isLlama3)
  }

  private func checkCounts() throws(TokenizerError) {
    for (name, count) in [("scores", scores.count), ("token_type", tokenTypes.count)]
    where count != 0 && count != tokens.count {
      throw TokenizerError(
        .unequalCounts(
          "tokenizer.ggml.tokens", tokens.count, "tokenizer.ggml.\(name)", count))
    }
  }

  private func type(of id: Int) -> TokenType {
    tokenTypes.isEmpty ? .normal : TokenType(rawValue: tokenTypes[id]) ?? .normal
  }

  private func spellings(
    _ strings: [[UInt8]], _ field: String
  ) throws(TokenizerError) -> [String] {
    var result: [String] = []
    result.reserveCapacity(strings.count)
    for (i, bytes) in strings.enumerated() {
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw TokenizerError(.invalid("\(field)[\(i)]", wanted: "UTF-8"))
      }
      result.append(text)
    }
    return result
  }

  private func spelling(_ id: Int32) throws(TokenizerError) -> String {
    guard tokens.indices.contains(Int(id)) else {
      throw TokenizerError(.idOutOfRange(Int(id), vocabularySize: tokens.count))
    }
    return try spellings([tokens[Int(id)]], "tokenizer.ggml.tokens")[0]
  }

  private func addedTokens(_ spelled: [String]) -> [JSONValue] {
    spelled.enumerated().compactMap { id, token in
      let type = type(of: id)
      let isCut = type == .control || type == .userDefined || model == "llama" && type == .unknown
      guard isCut, !token.isEmpty else { return nil }
      return [
        "id": JSONValue(id), "content": .string(token), "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": .bool(type != .userDefined),
      ]
    }
  }

  private func postProcessor(_ spelled: [String]) throws(TokenizerError) -> JSONValue {
    var template: [JSONValue] = [["Sequence": ["id": "A", "type_id": 0]]]
    var special: JSONObject = [:]
    func add(_ id: Int32, at place: Int) throws(TokenizerError) {
      let token = try spelling(id)
      template.insert(["SpecialToken": ["id": .string(token), "type_id": 0]], at: place)
      special[token] = [
        "id": .string(token), "ids": [JSONValue(Int(id))], "tokens": [.string(token)],
      ]
    }
    if startsWithBOS, let bosID { try add(bosID, at: 0) }
    if addsEOS ?? false, let eosID { try add(eosID, at: template.count) }
    if special.isEmpty { return .null }
    return [
      "type": "TemplateProcessing", "single": .array(template),
      "pair": .array(template + [["Sequence": ["id": "B", "type_id": 1]]]),
      "special_tokens": .object(special),
    ]
  }

  private func bytePair(_ spelled: [String]) throws(TokenizerError) -> Pipeline {
    guard let pre else { throw TokenizerError(.missing("tokenizer.ggml.pre")) }
    guard let rules = GGUFSplittingRules.named[pre] else {
      throw TokenizerError(.unsupported("tokenizer.ggml.pre", "\"\(pre)\""))
    }
    let merges = try spellings(merges, "tokenizer.ggml.merges").map { JSONValue.string($0) }
    return Pipeline(
      normalizer: rules.composes ? ["type": "NFC"] : .null,
      preTokenizer: rules.preTokenizer,
      decoder: [
        "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
      ],
      model: Self.model(
        spelled, merges: merges, unknown: nil, byteFallback: false,
        ignoresMerges: rules.ignoresMerges))
  }

  private func sentencePiece(_ spelled: [String]) throws(TokenizerError) -> Pipeline {
    guard !scores.isEmpty else { throw TokenizerError(.missing("tokenizer.ggml.scores")) }
    let hasPrefix = addsSpacePrefix ?? true
    let mark = "\u{2581}"
    var normalizers: [JSONValue] = [
      ["type": "Replace", "pattern": ["String": " "], "content": .string(mark)]
    ]
    var decoders: [JSONValue] = [
      ["type": "Replace", "pattern": ["String": .string(mark)], "content": " "],
      ["type": "ByteFallback"], ["type": "Fuse"],
    ]
    if hasPrefix {
      normalizers.insert(["type": "Prepend", "prepend": .string(mark)], at: 0)
      decoders.append(["type": "Strip", "content": " ", "start": 1, "stop": 0])
    }
    for (id, token) in tokens.enumerated() {
      try Tokenizer.checkLength(of: "tokenizer.ggml.tokens[\(id)]", token.count)
    }
    let mergeable = tokens.indices.map { [.normal, .userDefined, .unused].contains(type(of: $0)) }
    let merges = ScoredMerges.pairs(tokens: tokens, scores: scores, isMergeable: mergeable).map {
      JSONValue.array([.string(spelled[$0.left]), .string(spelled[$0.right])])
    }
    return Pipeline(
      normalizer: ["type": "Sequence", "normalizers": .array(normalizers)],
      decoder: ["type": "Sequence", "decoders": .array(decoders)],
      model: Self.model(
        spelled, merges: merges, unknown: try unknownID.map(spelling), byteFallback: true,
        ignoresMerges: false))
  }

  private static func model(
    _ spelled: [String], merges: [JSONValue], unknown: String?, byteFallback: Bool,
    ignoresMerges: Bool
  ) -> JSONValue {
    let vocabulary = spelled.enumerated().map {
      JSONObject.Member(key: $1, value: JSONValue($0))
    }
    return [
      "type": "BPE", "dropout": .null, "unk_token": JSONValue(unknown),
      "continuing_subword_prefix": .null, "end_of_word_suffix": .null,
      "fuse_unk": .bool(byteFallback), "byte_fallback": .bool(byteFallback),
      "ignore_merges": .bool(ignoresMerges), "vocab": .object(JSONObject(vocabulary)),
      "merges": .array(merges),
    ]
  }
}

extension Tokenizer {
  /// Reads the tokenizer of a GGUF file's metadata.
  package init(gguf fields: GGUFTokenizerFields, path: String? = nil) throws(TokenizerError) {
    do throws(TokenizerError) {
      try self.init(document: fields.tokenizerJSON())
      try apply(config: fields.tokenizerConfig())
    } catch {
      throw TokenizerError(error.problem, path: path)
    }
  }
}
