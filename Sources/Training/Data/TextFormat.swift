/// How documents lie in a file of text.
package struct TextFormat: Equatable, Sendable {
  package enum Layout: String, CaseIterable, Sendable {
    /// Plain text; the whole file is one document, or each part between blank lines.
    case text
    /// One JSON object a line.
    case jsonl
  }

  package var layout: Layout
  /// Plain text: blank lines divide documents.
  package var splitsAtBlankLines = false
  package var fields = Fields()

  package init(_ layout: Layout) { self.layout = layout }

  /// Keys of a record. The first of `text`, `prompt` with `completion`, and `messages` that a record
  /// has decides how it is read.
  package struct Fields: Equatable, Sendable {
    package var text = "text"
    package var prompt = "prompt"
    package var completion = "completion"
    package var messages = "messages"

    package init() {}
  }
}

/// A piece of a document; the loss counts the tokens of target segments only.
package struct Segment: Equatable, Sendable {
  package var bytes: [UInt8]
  package var isTarget: Bool

  package init(_ bytes: [UInt8], isTarget: Bool = true) {
    self.bytes = bytes
    self.isTarget = isTarget
  }
}
