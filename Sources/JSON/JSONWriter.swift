extension JSONValue {
  /// The value as UTF-8 text.
  ///
  /// - Parameter indent: Spaces a level, each member on its own line; nil writes one line without
  ///   white space. Members keep their order: sort an object before writing where it matters.
  public func text(indent: Int? = nil) -> String {
    var output = ""
    write(to: &output, indent: indent, level: 0)
    return output
  }

  private func write(to output: inout String, indent: Int?, level: Int) {
    switch self {
    case .null: output += "null"
    case .bool(let value): output += value ? "true" : "false"
    case .number(let number): output += number.text
    case .string(let string): Self.write(string, to: &output)
    case .array(let elements):
      // Shapes and offsets read best on one line.
      let flat = elements.allSatisfy { $0.array == nil && $0.object == nil }
      Self.writeList(
        elements, "[", "]", indent: flat ? nil : indent, spaced: indent != nil, level: level,
        to: &output
      ) { element, output in
        element.write(to: &output, indent: indent, level: level + 1)
      }
    case .object(let object):
      Self.writeList(
        object.members, "{", "}", indent: indent, spaced: false, level: level, to: &output
      ) { member, output in
        Self.write(member.key, to: &output)
        output += indent == nil ? ":" : ": "
        member.value.write(to: &output, indent: indent, level: level + 1)
      }
    }
  }

  private static func writeList<Element>(
    _ elements: [Element], _ open: String, _ close: String, indent: Int?, spaced: Bool, level: Int,
    to output: inout String, body: (Element, inout String) -> Void
  ) {
    output += open
    for (i, element) in elements.enumerated() {
      if i > 0 { output += spaced && indent == nil ? ", " : "," }
      if let indent { output += "\n" + String(repeating: " ", count: indent * (level + 1)) }
      body(element, &output)
    }
    if let indent, !elements.isEmpty {
      output += "\n" + String(repeating: " ", count: indent * level)
    }
    output += close
  }

  private static func write(_ string: String, to output: inout String) {
    output += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\n": output += "\\n"
      case "\r": output += "\\r"
      case "\t": output += "\\t"
      case "\u{8}": output += "\\b"
      case "\u{C}": output += "\\f"
      case "\u{0}"..."\u{1F}":
        let digits = String(scalar.value, radix: 16)
        output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: output.unicodeScalars.append(scalar)
      }
    }
    output += "\""
  }
}
