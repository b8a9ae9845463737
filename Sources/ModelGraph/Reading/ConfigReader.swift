import JSON

/// Reads typed fields of a configuration, under any of their spellings, and keeps account of which
/// were read.
///
/// A field that is absent has the default that its class gives it, if any. A field that is null says
/// that there is no value.
struct ConfigReader {
  let config: JSONObject
  /// Put before names in errors: the path of a nested object.
  let scope: String
  /// What a field is that the configuration leaves out.
  let defaults: [String: JSONValue]
  private(set) var read: Set<String> = []

  init(_ config: JSONObject, scope: String = "", defaults: [String: JSONValue] = [:]) {
    self.config = config
    self.scope = scope
    self.defaults = defaults
  }

  /// Whether the configuration has the field, be it null.
  func states(_ key: String) -> Bool { config[key] != nil }

  /// Takes note of a field that says nothing about the numbers.
  mutating func pass(over key: String) { read.insert(key) }

  /// Largest extent that is accepted; products of two still fit an `Int`.
  static let largestExtent = Int(Int32.max)

  /// The value under any of `keys`; two spellings must agree.
  mutating func value(_ keys: String...) throws(ModelGraphError) -> Field? { try value(keys) }

  /// A value, and the spelling under which it was found.
  struct Field {
    var key: String
    var value: JSONValue
  }

  private mutating func value(_ keys: [String]) throws(ModelGraphError) -> Field? {
    read.formUnion(keys)
    var found: Field?
    for key in keys {
      guard let value = config[key], !value.isNull else { continue }
      guard let first = found else {
        found = Field(key: scope + key, value: value)
        continue
      }
      let equal =
        if let a = first.value.double, let b = value.double { a == b } else { first.value == value }
      guard equal else { throw ModelGraphError(.conflictingFields(first.key, scope + key)) }
    }
    if found != nil || keys.contains(where: states) { return found }
    let stated = keys.first { defaults[$0] != nil }
    guard let key = stated, let value = defaults[key], !value.isNull else { return nil }
    return Field(key: scope + key, value: value)
  }

  /// A whole number in `1...largestExtent`.
  mutating func extent(_ keys: String...) throws(ModelGraphError) -> Int? {
    guard let field = try value(keys) else { return nil }
    guard let number = field.value.integer else {
      throw ModelGraphError(.wrongType(field: field.key, wanted: "a whole number"))
    }
    guard number > 0, number <= Self.largestExtent else {
      throw invalid(field, "between 1 and \(Self.largestExtent)")
    }
    return number
  }

  /// A number greater than zero.
  mutating func positive(_ keys: String...) throws(ModelGraphError) -> Double? {
    guard let field = try value(keys) else { return nil }
    guard let number = field.value.double else {
      throw ModelGraphError(.wrongType(field: field.key, wanted: "a number"))
    }
    guard number > 0, number.isFinite else { throw invalid(field, "positive and finite") }
    return number
  }

  /// A finite number.
  mutating func number(_ keys: String...) throws(ModelGraphError) -> Double? {
    guard let field = try value(keys) else { return nil }
    guard let number = field.value.double else {
      throw ModelGraphError(.wrongType(field: field.key, wanted: "a number"))
    }
    guard number.isFinite else { throw invalid(field, "finite") }
    return number
  }

  /// A list of finite numbers.
  mutating func numbers(_ key: String) throws(ModelGraphError) -> [Double]? {
    guard let field = try value(key) else { return nil }
    let numbers = field.value.array?.compactMap(\.double)
    guard let numbers, numbers.count == field.value.array?.count,
      numbers.allSatisfy(\.isFinite)
    else { throw ModelGraphError(.wrongType(field: field.key, wanted: "a list of numbers")) }
    return numbers
  }

  mutating func bool(_ keys: String...) throws(ModelGraphError) -> Bool? {
    guard let field = try value(keys) else { return nil }
    guard let bool = field.value.bool else {
      throw ModelGraphError(.wrongType(field: field.key, wanted: "true or false"))
    }
    return bool
  }

  mutating func string(_ keys: String...) throws(ModelGraphError) -> String? {
    guard let field = try value(keys) else { return nil }
    guard let string = field.value.string else {
      throw ModelGraphError(.wrongType(field: field.key, wanted: "a string"))
    }
    return string
  }

  mutating func object(_ keys: String...) throws(ModelGraphError) -> JSONObject? {
    guard let field = try value(keys) else { return nil }
    guard let object = field.value.object else {
      throw ModelGraphError(.wrongType(field: field.key, wanted: "an object"))
    }
    return object
  }

  func missing(_ key: String) -> ModelGraphError { ModelGraphError(.missingField(scope + key)) }

  func invalid(_ field: Field, _ rule: String) -> ModelGraphError {
    ModelGraphError(.invalidValue(field: field.key, value: field.value.text(), rule: rule))
  }
}
