package import JSON

extension Tokenizer {
  /// The spellings of the special tokens, by the names that chat templates use for them.
  package var templateVariables: JSONObject {
    var variables = JSONObject()
    for (name, id) in [("bos_token", bosID), ("eos_token", eosID), ("pad_token", paddingID)] {
      guard let id, let bytes = vocabulary.spelling(of: id) else { continue }
      variables[name] = .string(String(decoding: bytes, as: UTF8.self))
    }
    return variables
  }
}
