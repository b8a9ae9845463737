import JSON

/// A value in a chat template: Python's, as far as templates see them.
enum TemplateValue: Equatable, Sendable {
  /// A name that nothing defines; prints as nothing and counts as false.
  case undefined(String)
  case null
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string(String)
  case list(TemplateList)
  case dictionary(TemplateDictionary)
  /// Number of a namespace in the renderer, the one kind of value that can be changed.
  case namespace(Int)
  /// Number of a macro in the renderer.
  case macro(Int)
  /// A function that every template knows.
  case function(TemplateFunction)

  struct Member: Equatable, Sendable {
    var key: String
    var value: TemplateValue
  }

  init(_ json: JSONValue) {
    switch json {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .number(let number):
      self = number.integer.map { .integer($0) } ?? .float(number.double ?? .nan)
    case .string(let text): self = .string(text)
    case .array(let elements): self = .list(TemplateList(elements.map { TemplateValue($0) }))
    case .object(let object):
      self = .dictionary(
        TemplateDictionary(
          object.members.map { Member(key: $0.key, value: TemplateValue($0.value)) }))
    }
  }

  /// Whether a condition takes the value as true.
  var isTrue: Bool {
    switch self {
    case .undefined, .null: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .float(let value): value != 0
    case .string(let text): !text.isEmpty
    case .list(let list): !list.elements.isEmpty
    case .dictionary(let dictionary): !dictionary.members.isEmpty
    case .namespace, .macro, .function: true
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }

  /// The number, for arithmetic: Python counts truth values as 0 and 1.
  var number: Double? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): Double(value)
    case .float(let value): value
    default: nil
    }
  }

  var integer: Int? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }

  var string: String? { if case .string(let text) = self { text } else { nil } }

  /// Name of the type in messages.
  var typeName: String {
    switch self {
    case .undefined: "an undefined value"
    case .null: "none"
    case .bool: "a truth value"
    case .integer, .float: "a number"
    case .string: "a string"
    case .list: "a list"
    case .dictionary, .namespace: "a mapping"
    case .macro, .function: "a function"
    }
  }

  /// Members of a mapping: what it costs to look for one of them, in units of work.
  var memberCount: Int {
    if case .dictionary(let dictionary) = self { 1 + dictionary.members.count / 16 } else { 1 }
  }

  /// Levels of lists and mappings in the value.
  var depth: Int {
    switch self {
    case .list(let list): list.depth
    case .dictionary(let dictionary): dictionary.depth
    default: 0
    }
  }

  /// What it costs to look at all of the value, in units of work.
  var weight: Int {
    switch self {
    case .string(let text): 1 + text.utf8.count / TemplateRenderer.bytesPerUnit
    case .list(let list): list.weight
    case .dictionary(let dictionary): dictionary.weight
    default: 1
    }
  }

  /// The member `key` of a mapping.
  func member(_ key: String) -> TemplateValue? {
    guard case .dictionary(let dictionary) = self else { return nil }
    return dictionary.members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }

  /// Equality as Python has it: 1 is 1.0 and true, and strings compare by code points.
  func equals(_ other: TemplateValue) -> Bool {
    if let a = number, let b = other.number { return a == b }
    switch (self, other) {
    case (.undefined, .undefined), (.null, .null): return true
    case (.string(let a), .string(let b)): return a.utf8.elementsEqual(b.utf8)
    case (.list(let a), .list(let b)): return a.elements.elementsEqual(b.elements) { $0.equals($1) }
    case (.dictionary(let a), .dictionary(let b)):
      return a.members.count == b.members.count
        && a.members.allSatisfy { member in
          other.member(member.key).map(member.value.equals) ?? false
        }
    case (.namespace(let a), .namespace(let b)): return a == b
    case (.macro(let a), .macro(let b)): return a == b
    case (.function(let a), .function(let b)): return a == b
    default: return false
    }
  }

  // MARK: Text

  /// What `{{ value }}` prints: Python's `str`.
  var text: String {
    switch self {
    case .undefined: ""
    case .string(let text): text
    default: representation
    }
  }

  /// Python's `repr`, which lists and mappings print of their members.
  private var representation: String {
    switch self {
    case .undefined: return "Undefined"
    case .null: return "None"
    case .bool(let value): return value ? "True" : "False"
    case .integer(let value): return "\(value)"
    case .float(let value): return Self.spelling(value)
    case .string(let text):
      let quote = text.contains("'") && !text.contains("\"") ? "\"" : "'"
      return quote + text.unicodeScalars.map { Self.escaped($0, quote) }.joined() + quote
    case .list(let list):
      return "[" + list.elements.map(\.representation).joined(separator: ", ") + "]"
    case .dictionary(let dictionary):
      let list = dictionary.members.map {
        TemplateValue.string($0.key).representation + ": " + $0.value.representation
      }
      return "{" + list.joined(separator: ", ") + "}"
    case .namespace: return "<Namespace>"
    case .macro: return "<Macro>"
    case .function(let function): return "<\(function.rawValue)>"
    }
  }

  private static func escaped(_ scalar: Unicode.Scalar, _ quote: String) -> String {
    switch scalar {
    case "\n": "\\n"
    case "\r": "\\r"
    case "\t": "\\t"
    case "\\": "\\\\"
    default: String(scalar) == quote ? "\\" + quote : String(scalar)
    }
  }

  /// A float as Python spells it: `1e+16`, `1.5`.
  private static func spelling(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    return "\(value)"
  }

  /// JSON as Python's `json.dumps` writes it, with its spaces, or indented.
  func json(indent: Int? = nil, level: Int = 0) -> String {
    func list(_ items: [String], _ open: String, _ close: String) -> String {
      guard let indent, !items.isEmpty else {
        return open + items.joined(separator: ", ") + close
      }
      let inner = "\n" + String(repeating: " ", count: indent * (level + 1))
      let outer = "\n" + String(repeating: " ", count: indent * level)
      return open + inner + items.joined(separator: "," + inner) + outer + close
    }
    switch self {
    case .undefined, .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .string(let text): return JSONValue.string(text).text()
    case .list(let values):
      return list(values.elements.map { $0.json(indent: indent, level: level + 1) }, "[", "]")
    case .dictionary(let dictionary):
      let items = dictionary.members.map {
        JSONValue.string($0.key).text() + ": " + $0.value.json(indent: indent, level: level + 1)
      }
      return list(items, "{", "}")
    case .integer, .float, .namespace, .macro, .function: return representation
    }
  }
}

/// A list's elements, with what was known of them when it was made.
///
/// A list of a list of a list … costs a step a level to make, and one whose two elements are the same
/// list nothing at all; both are to be known before anything goes through them.
struct TemplateList: Equatable, Sendable {
  let elements: [TemplateValue]
  let depth: Int
  let weight: Int

  init(_ elements: [TemplateValue]) {
    self.elements = elements
    (depth, weight) = TemplateValue.extent(of: elements)
  }
}

/// A mapping's members in order; keys are strings.
struct TemplateDictionary: Equatable, Sendable {
  let members: [TemplateValue.Member]
  let depth: Int
  let weight: Int

  init(_ members: [TemplateValue.Member]) {
    self.members = members
    let (depth, weight) = TemplateValue.extent(of: members.lazy.map(\.value))
    self.depth = depth
    self.weight = members.reduce(weight) { sum, member in
      TemplateValue.sum(sum, member.key.utf8.count / TemplateRenderer.bytesPerUnit)
    }
  }
}

extension TemplateValue {
  /// Depth and weight of what holds `values`.
  fileprivate static func extent(
    of values: some Sequence<TemplateValue>
  ) -> (depth: Int, weight: Int) {
    var (depth, weight) = (1, 1)
    for value in values {
      depth = max(depth, value.depth + 1)
      weight = sum(weight, value.weight)
    }
    return (depth, weight)
  }

  fileprivate static func sum(_ a: Int, _ b: Int) -> Int {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? .max : sum
  }
}

/// The functions that every template knows.
enum TemplateFunction: String, Sendable {
  case raiseException = "raise_exception"
  case strftimeNow = "strftime_now"
  case namespace, range, dict
}
