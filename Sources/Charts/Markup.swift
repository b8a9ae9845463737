import ByteIO

/// A part of an SVG or HTML document.
///
/// What a literal says is markup; whatever is put into one is text, and is escaped here and nowhere
/// else: `"<p>\(text)</p>"`.
package struct Markup: Equatable, Sendable, ExpressibleByStringInterpolation {
  package let source: String

  package init(stringLiteral value: String) { source = value }
  package init(stringInterpolation: StringInterpolation) { source = stringInterpolation.source }
  private init(_ source: String) { self.source = source }

  package struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var source = ""

    package init(literalCapacity: Int, interpolationCount: Int) {}

    package mutating func appendLiteral(_ literal: String) { source += literal }
    package mutating func appendInterpolation(_ text: String) { source += Markup.escaped(text) }
    package mutating func appendInterpolation(_ number: Int) { source += "\(number)" }
    package mutating func appendInterpolation(_ markup: Markup) { source += markup.source }
  }

  package static func + (a: Markup, b: Markup) -> Markup { Markup(a.source + b.source) }
  package static func += (a: inout Markup, b: Markup) { a = a + b }

  /// Text of elements and of quoted attributes. Characters that XML forbids, or that show text in
  /// another order than it has, become U+FFFD.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case _ where scalar.isControlOrDirection || scalar == "\u{FFFE}" || scalar == "\u{FFFF}":
        result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

extension Sequence<Markup> {
  package func joined(separator: String = "") -> Markup {
    var result: Markup = ""
    var isFirst = true
    for part in self {
      if !isFirst { result = "\(result)\(separator)" }
      result += part
      isFirst = false
    }
    return result
  }
}
