package import ByteIO

/// Why a text is not JSON, and where.
package struct JSONError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    case unexpectedEnd
    case unexpectedByte(UInt8, wanted: String)
    case byteOrderMark
    case invalidUTF8
    case loneSurrogate
    case controlCharacter(UInt8)
    case invalidEscape(UInt8)
    case invalidNumber
    /// The key was already used by the member whose key is at `first`.
    case duplicateKey(String, first: Int)
    case tooDeep(limit: Int)
    case trailingBytes(count: Int)
  }

  package var problem: Problem
  package var position: Int
  package var path: String?

  package init(_ problem: Problem, at position: Int, path: String? = nil) {
    self.problem = problem
    self.position = position
    self.path = path
  }

  package var kind: FailureKind { .malformed }
  package var file: String? { path }
  package var offset: Int? { position }

  package var code: String {
    switch problem {
    case .unexpectedEnd: "json.truncated"
    case .unexpectedByte: "json.unexpected_byte"
    case .byteOrderMark: "json.byte_order_mark"
    case .invalidUTF8: "json.invalid_utf8"
    case .loneSurrogate: "json.lone_surrogate"
    case .controlCharacter: "json.control_character"
    case .invalidEscape: "json.invalid_escape"
    case .invalidNumber: "json.invalid_number"
    case .duplicateKey: "json.duplicate_key"
    case .tooDeep: "json.too_deep"
    case .trailingBytes: "json.trailing_bytes"
    }
  }

  package var message: String {
    switch problem {
    case .unexpectedEnd: "the JSON text ends inside a value"
    case .unexpectedByte(let byte, let wanted): "\(wanted) expected, found \(Self.name(byte))"
    case .byteOrderMark: "the JSON text starts with a byte-order mark"
    case .invalidUTF8: "a string is not valid UTF-8"
    case .loneSurrogate: "a \\u escape is half of a surrogate pair"
    case .controlCharacter(let byte): "raw control character \(Self.name(byte)) in a string"
    case .invalidEscape(let byte): "unknown escape \\ followed by \(Self.name(byte))"
    case .invalidNumber: "not a JSON number"
    case .duplicateKey(let key, let first): "the key \"\(key)\" was already used at byte \(first)"
    case .tooDeep(let limit): "values are nested deeper than \(limit) levels"
    case .trailingBytes(let count): "\(count) bytes follow the end of the JSON value"
    }
  }

  private static func name(_ byte: UInt8) -> String {
    (0x21...0x7E).contains(byte)
      ? "'\(Character(UnicodeScalar(byte)))'" : "byte 0x" + hexadecimal([byte])
  }
}
