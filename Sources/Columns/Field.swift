/// A column, or a part of one, as a file's schema names it.
package struct Field: Equatable, Sendable {
  package var name: String
  /// Whether its values may be missing.
  package var isOptional: Bool
  package var type: FieldType

  package init(_ name: String, isOptional: Bool = true, _ type: FieldType) {
    self.name = name
    self.isOptional = isOptional
    self.type = type
  }
}

/// What the values of a column are.
package indirect enum FieldType: Equatable, Sendable {
  case primitive(PrimitiveType)
  case list(Field)
  case structure([Field])
  case map(key: Field, value: Field)
}

/// A value without parts.
package enum PrimitiveType: Equatable, Sendable {
  /// No value at all: every one is missing.
  case null
  case boolean
  case integer(bits: Int, isSigned: Bool)
  /// IEEE 754 numbers of 16, 32 or 64 bits.
  case float(bits: Int)
  /// UTF-8.
  case text
  case binary
  /// An integer that counts units of 10^-scale.
  case decimal(scale: Int)
  /// An integer with a meaning that is kept as a word: a date, a time, an instant.
  case time(String)
}

extension PrimitiveType: CustomStringConvertible {
  package var description: String {
    switch self {
    case .null: "null"
    case .boolean: "bool"
    case .integer(let bits, let isSigned): (isSigned ? "int" : "uint") + "\(bits)"
    case .float(let bits): "float\(bits)"
    case .text: "string"
    case .binary: "binary"
    case .decimal(let scale): "decimal(scale \(scale))"
    case .time(let name): name
    }
  }
}

extension FieldType: CustomStringConvertible {
  /// As in `list<struct<role: string, content: string>>`.
  package var description: String {
    switch self {
    case .primitive(let type): type.description
    case .list(let element): "list<\(element.type)>"
    case .structure(let fields):
      "struct<" + fields.map { "\($0.name): \($0.type)" }.joined(separator: ", ") + ">"
    case .map(let key, let value): "map<\(key.type), \(value.type)>"
    }
  }
}
