/// One step that rewrites text before it is cut into pieces.
enum Normalizer: Equatable, Sendable {
  case prepend([UInt8])
  case replace([UInt8], with: [UInt8])

  func apply(to text: [UInt8]) -> [UInt8] {
    switch self {
    case .prepend(let prefix): text.isEmpty ? text : prefix + text
    case .replace(let old, let new): text.replacing(old, with: new)
    }
  }
}
