import ByteIO

/// A JSON value (RFC 8259) that keeps what the text said: member order and number spelling.
package enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case number(JSONNumber)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)
}

/// A number as it was spelled, so that 9007199254740993 and 1e-05 survive a round trip.
package struct JSONNumber: Equatable, Sendable {
  package let text: String

  package init(text: String) { self.text = text }
  package init(_ value: Int) { text = String(value) }

  /// Shortest spelling that reads back as the same `Double`; the value must be finite.
  package init(_ value: Double) {
    precondition(value.isFinite, "JSON has no infinity and no NaN")
    text = "\(value)"
  }

  /// The value when the text is an integer literal in range; `4.0` and `4e0` are not.
  package var integer: Int? { Int(text) }
  package var unsigned: UInt64? { UInt64(text) }
  package var double: Double? { Double(text) }
}

/// An object: members in the order of the text, keys distinct as bytes.
package struct JSONObject: Equatable, Sendable, ExpressibleByDictionaryLiteral {
  package struct Member: Sendable {
    package var key: String
    package var value: JSONValue
    /// Byte offset of the key in the parsed text; zero when built in memory.
    package var keyOffset: Int
    /// Byte offset of the value in the parsed text; zero when built in memory.
    package var valueOffset: Int

    package init(key: String, value: JSONValue, keyOffset: Int = 0, valueOffset: Int = 0) {
      self.key = key
      self.value = value
      self.keyOffset = keyOffset
      self.valueOffset = valueOffset
    }
  }

  package private(set) var members: [Member]

  package init(_ members: [Member] = []) { self.members = members }

  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    members = elements.map { Member(key: $0.0, value: $0.1) }
  }

  /// The value of `key`, found by a scan; setting appends, replaces in place, or removes.
  package subscript(key: String) -> JSONValue? {
    get { members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value }
    set {
      let index = members.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
      switch (index, newValue) {
      case (let index?, let value?): members[index].value = value
      case (let index?, nil): members.remove(at: index)
      case (nil, let value?): members.append(Member(key: key, value: value))
      case (nil, nil): break
      }
    }
  }

  package var isEmpty: Bool { members.isEmpty }

  /// The same members in byte order of their keys.
  package var sorted: JSONObject {
    JSONObject(members.sorted { ExactString($0.key) < ExactString($1.key) })
  }

  package static func == (a: Self, b: Self) -> Bool {
    a.members.elementsEqual(b.members) {
      $0.key.utf8.elementsEqual($1.key.utf8) && $0.value == $1.value
    }
  }
}

extension JSONValue {
  package var isNull: Bool { self == .null }
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var number: JSONNumber? { if case .number(let value) = self { value } else { nil } }
  package var integer: Int? { number?.integer }
  package var double: Double? { number?.double }
  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  package var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

  /// The member `key` of an object; nil for anything else.
  package subscript(key: String) -> JSONValue? { object?[key] }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
  ExpressibleByFloatLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int) { self = .number(JSONNumber(value)) }
  package init(floatLiteral value: Double) { self = .number(JSONNumber(value)) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(JSONObject(elements.map { JSONObject.Member(key: $0.0, value: $0.1) }))
  }

  package init(_ value: Int) { self = .number(JSONNumber(value)) }
  /// A finite number, or the strings `NaN`, `Infinity`, `-Infinity`, which JSON cannot spell.
  package init(_ value: Double) {
    self =
      value.isFinite
      ? .number(JSONNumber(value))
      : .string(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
  }
  package init(_ value: Float) { self.init(Double("\(value)") ?? Double(value)) }
  package init(_ value: Int?) { self = value.map { .number(JSONNumber($0)) } ?? .null }
  package init(_ value: String?) { self = value.map { .string($0) } ?? .null }
}
