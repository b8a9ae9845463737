package import JSON

extension Tokenizer {
  /// Takes the special tokens and the chat template that a tokenizer_config.json names.
  ///
  /// Of several named templates it takes the one called `default`.
  /// - Parameter path: File named in errors.
  package mutating func apply(
    config: JSONValue, path: String? = nil
  ) throws(TokenizerError) {
    do throws(TokenizerError) {
      try apply(JSONField(value: config, path: ""))
    } catch {
      throw TokenizerError(error.problem, path: path)
    }
  }

  private mutating func apply(_ root: JSONField) throws(TokenizerError) {
    bosID = try special(root["bos_token"]) ?? bosID
    eosID = try special(root["eos_token"]) ?? eosID
    paddingID = try special(root["pad_token"]) ?? paddingID
    guard let template = root["chat_template"] else { return }
    guard template.value.array != nil else {
      chatTemplate = try template.string()
      return
    }
    for named in try template.array() where named["name"]?.value.string == "default" {
      chatTemplate = try named.required("template").string()
    }
  }

  /// The id of a token given by its spelling, or by an object with it.
  private func special(_ field: JSONField?) throws(TokenizerError) -> Int32? {
    guard let field else { return nil }
    let token = try (field["content"] ?? field).string()
    guard let id = id(of: token) else {
      throw TokenizerError(.unknownToken(field.path, token: token))
    }
    return id
  }
}
