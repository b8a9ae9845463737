import JSON

extension Tokenizer {
  /// Reads a tokenizer.json.
  ///
  /// - Parameter path: File named in errors.
  package init(tokenizerJSON bytes: [UInt8], path: String? = nil) throws(TokenizerError) {
    do throws(TokenizerError) {
      let document: JSONValue
      do throws(JSONError) {
        document = try JSONValue(parsing: bytes, path: path)
      } catch {
        throw TokenizerError(.json(error))
      }
      try self.init(document: document)
    } catch {
      throw TokenizerError(error.problem, path: path)
    }
  }

  /// Takes a tokenizer.json's content.
  init(document: JSONValue) throws(TokenizerError) {
    let root = JSONField(value: document, path: "")
    let steps = try PreTokenizer.read(root["pre_tokenizer"])
    let added = try root["added_tokens"]?.array().map(AddedToken.init) ?? []
    let model = try root.required("model")
    let type = try model["type"]?.string() ?? "BPE"
    switch type {
    case "BPE":
      let vocabulary = try Vocabulary(reading: model.required("vocab"), added: added)
      let bytePair = try BytePairModel(model, vocabulary, isByteLevel: steps.isByteLevel)
      self.init(model: .bytePair(bytePair), vocabulary: vocabulary)
      preTokenizers = steps.steps
      if bytePair.keepsMarksInFront {
        preTokenizers.append(.split(.markedWords, .isolated, invert: false))
      }
    case "Unigram":
      guard !steps.isByteLevel else { throw model.unsupported("Unigram over bytes") }
      let unigram = try UnigramModel(model, added: added)
      self.init(model: .unigram(unigram), vocabulary: unigram.vocabulary)
      preTokenizers = steps.steps
    default: throw JSONField(value: .null, path: "model.type").unsupported(type)
    }
    normalizers = try Normalizer.read(root["normalizer"])
    decoders = try root["decoder"].map(TokenDecoder.read)
    try setAddedTokens(added)
    try readPostProcessor(root["post_processor"])
  }

  private mutating func readPostProcessor(_ field: JSONField?) throws(TokenizerError) {
    for step in try field?.flattened("processors") ?? [] {
      switch try step.type() {
      case "ByteLevel": break
      case "TemplateProcessing":
        let frame = try Self.template(step)
        prefix = frame.prefix + prefix
        suffix += frame.suffix
      case "RobertaProcessing", "BertProcessing":
        prefix = [try Self.frameToken(step, "cls")] + prefix
        suffix += [try Self.frameToken(step, "sep")]
      case let type: throw step.unsupported(type)
      }
    }
    for id in prefix + suffix { _ = try token(id) }
  }

  private static func frameToken(
    _ step: JSONField, _ key: String
  ) throws(TokenizerError) -> Int32 {
    let field = try step.required(key)
    let pair = try field.array()
    guard pair.count == 2 else { throw field.invalid("a token and its id") }
    return try pair[1].id()
  }

  /// The special tokens before and after the text by a template's `single` form.
  private static func template(
    _ step: JSONField
  ) throws(TokenizerError) -> (prefix: [Int32], suffix: [Int32]) {
    var prefix: [Int32] = []
    var suffix: [Int32] = []
    var seenText = false
    for item in try step.required("single").array() {
      if item["Sequence"] != nil {
        guard !seenText else { throw item.unsupported("a text that occurs twice") }
        seenText = true
        continue
      }
      let name = try item.required("SpecialToken").required("id").string()
      let ids = try step.required("special_tokens").required(name).required("ids").array()
      for id in ids {
        if seenText { suffix.append(try id.id()) } else { prefix.append(try id.id()) }
      }
    }
    guard seenText else { throw step.unsupported("a template without the text") }
    return (prefix, suffix)
  }
}

extension AddedToken {
  init(_ field: JSONField) throws(TokenizerError) {
    id = try field.required("id").id()
    content = try field.required("content").bytes()
    singleWord = try field.flag("single_word")
    leftStrip = try field.flag("lstrip")
    rightStrip = try field.flag("rstrip")
    special = try field.flag("special")
    normalized = try field.flag("normalized", default: !special)
  }
}
