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
  package var chat = ChatTemplate.chatML

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

  /// How the messages of a chat are written as one text.
  package enum ChatTemplate: String, CaseIterable, Sendable {
    /// `<|im_start|>role`, line break, content, `<|im_end|>`, line break.
    case chatML = "chatml"
    /// `role: content`, blank line.
    case plain

    func opening(_ role: String) -> String {
      self == .chatML ? "<|im_start|>\(role)\n" : "\(role): "
    }

    /// Closes a message; the part before the bar belongs to the answer.
    var closing: (answer: String, rest: String) {
      self == .chatML ? ("<|im_end|>", "\n") : ("\n\n", "")
    }
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
