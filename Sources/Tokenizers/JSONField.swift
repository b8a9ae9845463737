import JSON

/// A value of the file and the path that leads to it, for errors.
struct JSONField {
  var value: JSONValue
  var path: String

  /// The member `key`; nil when absent or null.
  subscript(key: String) -> JSONField? {
    guard let member = value[key], !member.isNull else { return nil }
    return JSONField(value: member, path: path.isEmpty ? key : path + "." + key)
  }

  func required(_ key: String) throws(TokenizerError) -> JSONField {
    guard let field = self[key] else {
      throw TokenizerError(.missing(path.isEmpty ? key : path + "." + key))
    }
    return field
  }

  func string() throws(TokenizerError) -> String {
    guard let string = value.string else { throw invalid("a string") }
    return string
  }

  func bytes() throws(TokenizerError) -> [UInt8] { Array(try string().utf8) }

  /// The bytes of a text that is looked for: an empty one would be found everywhere.
  func nonemptyBytes() throws(TokenizerError) -> [UInt8] {
    let bytes = try bytes()
    guard !bytes.isEmpty else { throw invalid("a text of at least one character") }
    return bytes
  }

  func bool() throws(TokenizerError) -> Bool {
    guard let bool = value.bool else { throw invalid("true or false") }
    return bool
  }

  func id() throws(TokenizerError) -> Int32 {
    guard let id = value.integer, id >= 0, let id = Int32(exactly: id) else {
      throw invalid("a token id")
    }
    return id
  }

  func array() throws(TokenizerError) -> [JSONField] {
    guard let array = value.array else { throw invalid("an array") }
    return array.enumerated().map { JSONField(value: $1, path: "\(path)[\($0)]") }
  }

  /// The member `key` as a truth value, false when absent.
  func flag(_ key: String, default standard: Bool = false) throws(TokenizerError) -> Bool {
    try self[key]?.bool() ?? standard
  }

  /// The name of the step or model that the object describes.
  func type() throws(TokenizerError) -> String { try required("type").string() }

  /// The steps of a `Sequence` under `key`, or this one alone, in order and without nesting.
  func flattened(_ key: String) throws(TokenizerError) -> [JSONField] {
    var result: [JSONField] = []
    var pending = [self]
    while let field = pending.popLast() {
      if try field.type() == "Sequence" {
        pending += try field.required(key).array().reversed()
      } else {
        result.append(field)
      }
    }
    return result
  }

  func invalid(_ wanted: String) -> TokenizerError {
    TokenizerError(.invalid(path, wanted: wanted))
  }

  func unsupported(_ what: String) -> TokenizerError { TokenizerError(.unsupported(path, what)) }
}
