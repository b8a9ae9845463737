package import GGUF
package import JSON

extension JSONValue {
  /// Float32 in the shortest spelling that reads back the same, strings repaired where they are no
  /// UTF-8.
  package init(_ value: GGUFValue) {
    switch value {
    case .bool(let value): self = .bool(value)
    case .string(let bytes): self = .string(String(decoding: bytes, as: UTF8.self))
    case .float32(let value): self.init(value)
    case .float64(let value): self.init(value)
    case .uint64(let value): self = .number(JSONNumber(text: String(value)))
    case .array(let array): self = .array((0..<array.count).map { JSONValue(array[$0]) })
    default: self.init(value.integer)
    }
  }
}

extension GGUFValue {
  /// The value that a writer stores for `json`: numbers with a fraction or exponent as float32,
  /// others as uint32 where they fit; nil for null, objects, and arrays of mixed types.
  package init?(_ json: JSONValue) {
    switch json {
    case .null, .object: return nil
    case .bool(let value): self = .bool(value)
    case .string(let text): self = .string(text)
    case .number(let number):
      if let value = number.unsigned {
        self = UInt32(exactly: value).map { .uint32($0) } ?? .uint64(value)
      } else if let value = number.integer {
        self = Int32(exactly: value).map { .int32($0) } ?? .int64(Int64(value))
      } else {
        guard let value = Float(number.text) else { return nil }
        self = .float32(value)
      }
    case .array(let elements):
      if elements.allSatisfy({ $0.string != nil }) {
        self = .array(GGUFArray(strings: elements.compactMap(\.string)))
      } else if elements.allSatisfy({ $0.bool != nil }) {
        self = .array(GGUFArray(elements.compactMap(\.bool)))
      } else if elements.allSatisfy({ $0.integer.flatMap(Int32.init(exactly:)) != nil }) {
        self = .array(GGUFArray(elements.compactMap { $0.integer.flatMap(Int32.init(exactly:)) }))
      } else if elements.allSatisfy({ $0.double != nil }) {
        self = .array(GGUFArray(elements.compactMap { $0.double.map { Float($0) } }))
      } else {
        return nil
      }
    }
  }
}
