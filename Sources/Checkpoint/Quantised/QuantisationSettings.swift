import ByteIO
import JSON
import Tensors

/// What `quantization_config` says, field by field; a field that nobody asks for is refused.
struct QuantisationSettings {
  let fields: JSONObject
  let path: String
  /// Where the fields stand, before their names in messages: empty, or such as `weights.`.
  var place = ""
  /// The type that the configuration states for all weights; nil where it states none.
  let modelType: ElementType?

  init(_ fields: JSONObject, path: String, modelType: ElementType?) {
    self.fields = fields
    self.path = path
    self.modelType = modelType
  }

  /// Refuses fields outside of `known`, separated by spaces, since they may change what codes mean; and of
  /// some fields any value that is there and not among the `only` ones.
  func check(_ known: String, only: [String: [JSONValue]] = [:]) throws(UnreadVariant) {
    let names = known.split(whereSeparator: \.isWhitespace).map(String.init)
    for member in fields.members where !names.contains(member.key) {
      throw UnreadVariant("the field \(place + member.key)")
    }
    for member in fields.members {
      guard let values = only[member.key], !values.contains(member.value) else { continue }
      throw UnreadVariant("\(place + member.key) \(member.value.text())")
    }
  }

  /// The value of `field`; nil where it is missing or null.
  subscript(field: String) -> JSONValue? {
    guard let value = fields[field], !value.isNull else { return nil }
    return value
  }

  func malformed(_ field: String, _ rule: String) -> QuantisationError {
    let value = fields[field] ?? .null
    return QuantisationError(
      .field(place + field, value: value.text(), rule: rule), path: path)
  }

  /// A whole number within `range`; nil where it is missing or null.
  func integer(_ field: String, in range: ClosedRange<Int>) throws(QuantisationError) -> Int? {
    guard let value = self[field] else { return nil }
    guard let number = value.integer, range.contains(number) else {
      throw malformed(field, "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// True or false; nil where it is missing or null.
  func bool(_ field: String) throws(QuantisationError) -> Bool? {
    guard let value = self[field] else { return nil }
    guard let truth = value.bool else { throw malformed(field, "true or false") }
    return truth
  }

  /// Rows and columns that share a scale; nil where there is no such field or it is null.
  func block(_ field: String) throws(QuantisationError) -> (rows: Int, columns: Int)? {
    guard let value = self[field] else { return nil }
    let sizes = value.array?.compactMap(\.integer) ?? []
    guard sizes.count == 2, value.array?.count == 2, sizes.allSatisfy((1...(1 << 30)).contains)
    else { throw malformed(field, "two positive whole numbers") }
    return (sizes[0], sizes[1])
  }

  /// The modules that the configuration leaves out, by name or pattern.
  func modules(_ field: String) throws(QuantisationError) -> [String] {
    guard let value = self[field] else { return [] }
    guard let names = value.array?.compactMap(\.string), names.count == value.array?.count else {
      throw malformed(field, "a list of names")
    }
    return names
  }
}

extension ElementType {
  /// The type that torch calls `name`, if weights can be of it.
  init?(torch name: String) {
    switch name.hasPrefix("torch.") ? String(name.dropFirst(6)) : name {
    case "float32", "float": self = .f32
    case "bfloat16": self = .bf16
    case "float16", "half": self = .f16
    default: return nil
    }
  }
}
