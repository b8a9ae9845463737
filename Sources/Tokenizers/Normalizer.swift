/// One step that rewrites text before it is cut into pieces.
enum Normalizer: Equatable, Sendable {
  case form(NormalForm)
  /// Each character becomes its lower case, whatever its neighbours.
  case lowercase
  /// Combining marks vanish.
  case stripAccents
  /// White space vanishes from the ends.
  case strip(left: Bool, right: Bool)
  case prepend([UInt8])
  case replace([UInt8], with: [UInt8])
  /// SentencePiece's, of a tokenizer.model.
  case spaces(SpaceRule)

  /// The rewritten text; `text` is valid UTF-8.
  func apply(to text: [UInt8]) -> [UInt8] {
    switch self {
    case .form(let form): return form.apply(to: text)
    case .lowercase: return Self.mapScalars(text) { $0.properties.lowercaseMapping }
    case .stripAccents:
      return Self.mapScalars(text) {
        UnicodeClass(of: $0.value).contains(.accent) ? "" : String($0)
      }
    case .strip(let left, let right):
      var (start, end) = (0, text.count)
      while left, start < end {
        let scalar = DecodedScalar(in: text.span, at: start)
        guard scalar.classes.contains(.space) else { break }
        start += scalar.width
      }
      while right, start < end {
        let scalar = DecodedScalar(in: text.span, before: end)
        guard scalar.classes.contains(.space) else { break }
        end -= scalar.width
      }
      return Array(text[start..<end])
    case .prepend(let prefix): return text.isEmpty ? text : prefix + text
    case .replace(let old, let new): return text.replacingAll(old, with: new)
    case .spaces(let rule): return rule.apply(to: text)
    }
  }

  /// The most bytes that the step makes of a text with so many, or more than `limit`.
  func bound(_ text: [UInt8]) -> Int {
    switch self {
    // No character has more than 18 compatible ones: these steps cannot make a text explode.
    case .form, .lowercase: return text.count
    case .stripAccents, .strip: return text.count
    case .prepend(let prefix): return text.count + prefix.count
    case .spaces: return TextPattern.mark.count * (text.count + 1)
    case .replace(let old, let new):
      if new.count <= old.count { return text.count }
      let (added, overflow) = (text.count / old.count).multipliedReportingOverflow(by: new.count)
      guard overflow || added > 1 << 20 else { return text.count + added }
      // The worst is far away from most texts: count.
      let places = text.span.count(of: old)
      let (exact, isTooMuch) = places.multipliedReportingOverflow(by: new.count)
      return isTooMuch ? .max : text.count + min(exact, .max - text.count)
    }
  }

  private static func mapScalars(_ text: [UInt8], _ body: (Unicode.Scalar) -> String) -> [UInt8] {
    String(decoding: text, as: UTF8.self).unicodeScalars.flatMap { body($0).utf8 }
  }
}
