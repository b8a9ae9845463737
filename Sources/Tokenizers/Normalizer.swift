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
    }
  }

  private static func mapScalars(_ text: [UInt8], _ body: (Unicode.Scalar) -> String) -> [UInt8] {
    String(decoding: text, as: UTF8.self).unicodeScalars.flatMap { body($0).utf8 }
  }
}
