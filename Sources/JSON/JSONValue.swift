import ByteIO

/// A JSON value (RFC 8259) that keeps what the text said: member order and number spelling.
public enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case number(JSONNumber)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)
}

/// A number as it was spelled, so that 9007199254740993 and 1e-05 survive a round trip.
public struct JSONNumber: Equatable, Sendable {
  /// The spelling.
  public let text: String

  package init(text: String) { self.text = text }
  package init(_ value: Int) { text = String(value) }

  /// Shortest spelling that reads back as the same `Double`; the value must be finite.
  package init(_ value: Double) {
    precondition(value.isFinite, "JSON has no infinity and no NaN")
    text = "\(value)"
  }

  /// The value when the text is an integer literal in range; `4.0` and `4e0` are not.
  public var integer: Int? { Int(text) }
  /// The value of an integer literal from 0 on.
  public var unsigned: UInt64? { UInt64(text) }
  /// The nearest `Double`.
  public var double: Double? { Double(text) }
}

/// An object: members in the order of the text, keys distinct as bytes.
public struct JSONObject: Equatable, Sendable, ExpressibleByDictionaryLiteral {
  /// A key and its value.
  public struct Member: Sendable {
    /// As the text has it, without escapes.
    public var key: String
    /// What the key stands for.
    public var value: JSONValue
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

  /// In the order of the text.
  public private(set) var members: [Member]

  package init(_ members: [Member] = []) { self.members = members }

  /// Members in the order in which they are written; keys must differ.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    members = elements.map { Member(key: $0.0, value: $0.1) }
  }

  /// The value of `key`, found by a scan; setting appends, replaces in place, or removes.
  public package(set) subscript(key: String) -> JSONValue? {
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

  /// Equal members in equal order.
  public static func == (a: Self, b: Self) -> Bool {
    a.members.elementsEqual(b.members) {
      $0.key.utf8.elementsEqual($1.key.utf8) && $0.value == $1.value
    }
  }
}

extension JSONValue {
  /// Whether this is `null`.
  public var isNull: Bool { self == .null }
  /// A truth value; nil for anything else.
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// A number as it is spelled; nil for anything else.
  public var number: JSONNumber? { if case .number(let value) = self { value } else { nil } }
  /// A number that is an integer literal in range; nil for anything else.
  public var integer: Int? { number?.integer }
  /// A number; nil for anything else.
  public var double: Double? { number?.double }
  /// A string; nil for anything else.
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  /// The elements of an array; nil for anything else.
  public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  /// An object; nil for anything else.
  public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

  /// The member `key` of an object; nil for anything else.
  public subscript(key: String) -> JSONValue? { object?[key] }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
  ExpressibleByFloatLiteral
{
  /// A string, as a literal.
  public init(stringLiteral value: String) { self = .string(value) }
  /// An integer, as a literal.
  public init(integerLiteral value: Int) { self = .number(JSONNumber(value)) }
  /// A number, as a literal; it must be finite.
  public init(floatLiteral value: Double) { self = .number(JSONNumber(value)) }
  /// A truth value, as a literal.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An array, as a literal.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// An object, as a literal.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
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
