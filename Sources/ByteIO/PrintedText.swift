/// What may reach a terminal of text that a file, a path or a user brought along.
package enum PrintedText {
  // Our own codes are private characters until the print site: text from outside can do no more with
  // them than choose among these.
  private static let codes: [Unicode.Scalar: String] = {
    var codes: [Unicode.Scalar: String] = ["\u{FFFD0}": "\u{1B}[0m", "\u{FFFD8}": "\r\u{1B}[K"]
    for (index, scalar) in colors.enumerated() { codes[scalar] = "\u{1B}[\(31 + index)m" }
    return codes
  }()
  private static let colors: [Unicode.Scalar] = [
    "\u{FFFD1}", "\u{FFFD2}", "\u{FFFD3}", "\u{FFFD4}", "\u{FFFD5}", "\u{FFFD6}", "\u{FFFD7}",
  ]

  /// Begins a colour of the terminal: its code, from 31 to 37.
  package static func color(_ code: Int) -> String { String(colors[(code - 31) % colors.count]) }
  /// Ends a colour.
  package static let plain = "\u{FFFD0}"
  /// Goes back to the start of the line and clears it.
  package static let clearLine = "\u{FFFD8}"

  /// The text with our own codes in place, and everything else that a terminal would obey, or that
  /// would show text in another order than it has, spelled out as `\u001B`: the spelling of JSON,
  /// so that a document stays what it is.
  package static func shown(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isStriking) else { return text }
    var shown = ""
    for scalar in text.unicodeScalars {
      if let code = codes[scalar] {
        shown += code
      } else if isStriking(scalar) {
        shown += spelled(scalar)
      } else {
        shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }

  /// The text as a part of one line: line breaks and tabs are spelled out, too.
  package static func onOneLine(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.value < 0x20 }) else { return text }
    return text.unicodeScalars.map { $0.value < 0x20 ? spelled($0) : String($0) }.joined()
  }

  private static func spelled(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  private static func isStriking(_ scalar: Unicode.Scalar) -> Bool {
    scalar.isControlOrDirection || (0xFFFD0...0xFFFD8).contains(scalar.value)
  }
}

/// A path as one word of a shell.
package func shellWord(_ path: String) -> String {
  let plain = path.unicodeScalars.allSatisfy {
    $0.properties.isAlphabetic || ("0"..."9").contains($0)
      || "/._-+,@%".unicodeScalars.contains($0)
  }
  return plain && !path.isEmpty && !path.hasPrefix("-")
    ? path : "'" + path.replacing("'", with: "'\\''") + "'"
}

extension Unicode.Scalar {
  /// Whether it is a control character, tab and line break apart, or shows text in another order or on
  /// other lines than it has.
  package var isControlOrDirection: Bool {
    switch value {
    case 0x09, 0x0A: false
    case 0..<0x20, 0x7F..<0xA0: true
    // Marks, embeddings, overrides and isolates of direction; separators of lines and paragraphs.
    case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
