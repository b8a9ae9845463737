package import Training

/// How a record becomes a prompt: text with the record's fields in braces.
///
/// `\n` is a line break; `{{` and `}}` are braces.
package struct PromptTemplate: Equatable, CustomStringConvertible {
  private enum Part: Equatable {
    case literal(String)
    case field(String)
  }

  package let description: String
  private var parts: [Part] = []

  /// What GSM8K and ARC are asked with in most published figures.
  package static let question = PromptTemplate(
    description: #"Question: {question}\nAnswer:"#,
    parts: [.literal("Question: "), .field("question"), .literal("\nAnswer:")])

  private init(description: String, parts: [Part]) {
    self.description = description
    self.parts = parts
  }

  /// Nil for a brace that is not closed, or none that it closes.
  package init?(_ text: String) {
    description = text
    var literal = ""
    var rest = Substring(text.replacing(#"\n"#, with: "\n"))
    while let character = rest.popFirst() {
      guard character == "{" || character == "}" else {
        literal.append(character)
        continue
      }
      if rest.first == character {
        literal.append(rest.removeFirst())
        continue
      }
      guard character == "{", let end = rest.firstIndex(of: "}"), end > rest.startIndex else {
        return nil
      }
      parts += [.literal(literal), .field(String(rest[..<end]))]
      literal = ""
      rest = rest[rest.index(after: end)...]
    }
    parts.append(.literal(literal))
  }

  /// The prompt of a record, whose fields must be there.
  package func text(_ record: EvalRecord) throws(DataError) -> String {
    var text = ""
    for part in parts {
      switch part {
      case .literal(let literal): text += literal
      case .field(let name): text += try record.text(name)
      }
    }
    return text
  }

  /// What every prompt starts with; it also marks the next question, where an answer has ended.
  package var opening: String {
    guard case .literal(let text) = parts.first else { return "" }
    return String(text.trimmingSuffix { $0.isWhitespace })
  }
}

extension StringProtocol {
  /// Without the characters at the end that `isDropped` names.
  fileprivate func trimmingSuffix(while isDropped: (Character) -> Bool) -> SubSequence {
    var end = endIndex
    while end > startIndex, isDropped(self[index(before: end)]) { end = index(before: end) }
    return self[..<end]
  }
}
