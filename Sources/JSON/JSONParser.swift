import ByteIO

extension JSONValue {
  /// Parses one JSON text, strictly by RFC 8259: no comments, no duplicate keys, no BOM.
  ///
  /// - Parameters:
  ///   - bytes: The text; white space may surround the value.
  ///   - base: Added to every reported offset, for a text that lies inside a file.
  ///   - path: File named in errors.
  ///   - depthLimit: Deepest allowed nesting of arrays and objects.
  package init(
    parsing bytes: [UInt8], base: Int = 0, path: String? = nil, depthLimit: Int = 64
  ) throws(JSONError) {
    var parser = JSONParser(text: bytes, depthLimit: depthLimit)
    do throws(JSONError) {
      self = try parser.document()
    } catch {
      var error = error
      error.position += base
      error.path = path
      if case .duplicateKey(let key, let first) = error.problem {
        error.problem = .duplicateKey(key, first: first + base)
      }
      throw error
    }
  }
}

/// Recursive descent over bytes; the recursion is bounded by `depthLimit`.
private struct JSONParser {
  let text: [UInt8]
  let depthLimit: Int
  var position = 0
  var depth = 0

  init(text: [UInt8], depthLimit: Int) {
    self.text = text
    self.depthLimit = depthLimit
  }

  mutating func document() throws(JSONError) -> JSONValue {
    if text.starts(with: [0xEF, 0xBB, 0xBF]) { throw JSONError(.byteOrderMark, at: 0) }
    skipSpace()
    let value = try value()
    skipSpace()
    guard position == text.count else {
      throw JSONError(.trailingBytes(count: text.count - position), at: position)
    }
    return value
  }

  private mutating func skipSpace() {
    while position < text.count {
      switch text[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  private func peek() throws(JSONError) -> UInt8 {
    guard position < text.count else { throw JSONError(.unexpectedEnd, at: position) }
    return text[position]
  }

  private mutating func expect(_ byte: UInt8, _ wanted: String) throws(JSONError) {
    let found = try peek()
    guard found == byte else {
      throw JSONError(.unexpectedByte(found, wanted: wanted), at: position)
    }
    position += 1
  }

  private mutating func value() throws(JSONError) -> JSONValue {
    switch try peek() {
    case UInt8(ascii: "{"): return try nested { (p) throws(JSONError) in try p.object() }
    case UInt8(ascii: "["): return try nested { (p) throws(JSONError) in try p.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    case let byte: throw JSONError(.unexpectedByte(byte, wanted: "a value"), at: position)
    }
  }

  private mutating func nested(
    _ body: (inout Self) throws(JSONError) -> JSONValue
  ) throws(JSONError) -> JSONValue {
    guard depth < depthLimit else { throw JSONError(.tooDeep(limit: depthLimit), at: position) }
    depth += 1
    defer { depth -= 1 }
    return try body(&self)
  }

  private mutating func literal(
    _ word: StaticString, _ value: JSONValue
  ) throws(JSONError) -> JSONValue {
    for byte in word.description.utf8 { try expect(byte, "\(word)") }
    return value
  }

  private mutating func array() throws(JSONError) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if try peek() == UInt8(ascii: "]") {
      position += 1
      return .array(elements)
    }
    while true {
      skipSpace()
      elements.append(try value())
      skipSpace()
      if try peek() == UInt8(ascii: "]") { break }
      try expect(UInt8(ascii: ","), "',' or ']'")
    }
    position += 1
    return .array(elements)
  }

  private mutating func object() throws(JSONError) -> JSONValue {
    position += 1
    var members: [JSONObject.Member] = []
    var seen: [ExactString: Int] = [:]
    skipSpace()
    if try peek() == UInt8(ascii: "}") {
      position += 1
      return .object(JSONObject())
    }
    while true {
      skipSpace()
      let keyOffset = position
      guard try peek() == UInt8(ascii: "\"") else {
        throw JSONError(.unexpectedByte(text[position], wanted: "a string key"), at: position)
      }
      let key = try string()
      if let first = seen.updateValue(keyOffset, forKey: ExactString(key)) {
        throw JSONError(.duplicateKey(key, first: first), at: keyOffset)
      }
      skipSpace()
      try expect(UInt8(ascii: ":"), "':'")
      skipSpace()
      let valueOffset = position
      let value = try value()
      members.append(
        .init(key: key, value: value, keyOffset: keyOffset, valueOffset: valueOffset))
      skipSpace()
      if try peek() == UInt8(ascii: "}") { break }
      try expect(UInt8(ascii: ","), "',' or '}'")
    }
    position += 1
    return .object(JSONObject(members))
  }

  // MARK: Scalars

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    if text[position] == UInt8(ascii: "-") { position += 1 }
    let integerStart = position
    let integerDigits = digits()
    guard integerDigits > 0, integerDigits == 1 || text[integerStart] != UInt8(ascii: "0") else {
      throw JSONError(.invalidNumber, at: start)
    }
    if position < text.count, text[position] == UInt8(ascii: ".") {
      position += 1
      guard digits() > 0 else { throw JSONError(.invalidNumber, at: start) }
    }
    if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      if position < text.count, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(text[position]) {
        position += 1
      }
      guard digits() > 0 else { throw JSONError(.invalidNumber, at: start) }
    }
    return .number(JSONNumber(text: String(decoding: text[start..<position], as: UTF8.self)))
  }

  private mutating func digits() -> Int {
    let start = position
    while position < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[position]) {
      position += 1
    }
    return position - start
  }

  private mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    // Most strings hold no escape: their bytes are taken as they stand.
    while position < text.count {
      let byte = text[position]
      if byte == UInt8(ascii: "\"") {
        let result = try decoded(text[start..<position], at: start)
        position += 1
        return result
      }
      if byte == UInt8(ascii: "\\") { break }
      guard byte >= 0x20 else { throw JSONError(.controlCharacter(byte), at: position) }
      position += 1
    }
    return try escapedString(from: start)
  }

  private mutating func escapedString(from start: Int) throws(JSONError) -> String {
    var bytes = Array(text[start..<position])
    while true {
      let byte = try peek()
      switch byte {
      case UInt8(ascii: "\""):
        let result = try decoded(bytes[...], at: start)
        position += 1
        return result
      case UInt8(ascii: "\\"):
        position += 1
        try escape(into: &bytes)
      case 0..<0x20: throw JSONError(.controlCharacter(byte), at: position)
      default:
        bytes.append(byte)
        position += 1
      }
    }
  }

  private mutating func escape(into bytes: inout [UInt8]) throws(JSONError) {
    let byte = try peek()
    let plain: [UInt8: UInt8] = [
      0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 0x08, 0x66: 0x0C, 0x6E: 0x0A, 0x72: 0x0D,
      0x74: 0x09,
    ]
    if let value = plain[byte] {
      bytes.append(value)
      position += 1
      return
    }
    guard byte == UInt8(ascii: "u") else { throw JSONError(.invalidEscape(byte), at: position) }
    let start = position - 1
    var code = UInt32(try hexUnit())
    if (0xD800..<0xDC00).contains(code) {
      guard position + 1 < text.count, text[position] == UInt8(ascii: "\\"),
        text[position + 1] == UInt8(ascii: "u")
      else { throw JSONError(.loneSurrogate, at: start) }
      position += 1
      let low = UInt32(try hexUnit())
      guard (0xDC00..<0xE000).contains(low) else { throw JSONError(.loneSurrogate, at: start) }
      code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = UnicodeScalar(code) else { throw JSONError(.loneSurrogate, at: start) }
    bytes.append(contentsOf: Array(String(Character(scalar)).utf8))
  }

  /// Reads `uXXXX`, standing on the `u`.
  private mutating func hexUnit() throws(JSONError) -> UInt16 {
    position += 1
    guard position + 4 <= text.count else { throw JSONError(.unexpectedEnd, at: text.count) }
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = Character(UnicodeScalar(text[position])).hexDigitValue else {
        throw JSONError(.invalidEscape(text[position]), at: position)
      }
      value = value << 4 | UInt16(digit)
      position += 1
    }
    return value
  }

  private func decoded(_ bytes: ArraySlice<UInt8>, at start: Int) throws(JSONError) -> String {
    if let string = String(validating: bytes, as: UTF8.self) { return string }
    throw JSONError(.invalidUTF8, at: start + validPrefix(of: bytes))
  }

  /// Number of bytes before the first that no valid UTF-8 text can have there.
  private func validPrefix(of bytes: ArraySlice<UInt8>) -> Int {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var count = 0
    while case .scalarValue(let scalar) = decoder.decode(&iterator) {
      count += UTF8.width(scalar)
    }
    return count
  }
}
