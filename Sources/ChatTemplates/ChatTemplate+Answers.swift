package import JSON

/// A conversation as text, and which of it the assistant wrote.
package struct ChatText: Equatable, Sendable {
  package struct Part: Equatable, Sendable {
    package var bytes: [UInt8]
    package var isAnswer: Bool

    package init(_ bytes: [UInt8], isAnswer: Bool) {
      self.bytes = bytes
      self.isAnswer = isAnswer
    }
  }

  /// In order; joined, they are the template's text.
  package var parts: [Part] = []
  /// Whether the text stops at an answer that no special token closes.
  package var endsOpen = false
}

extension ChatTemplate {
  /// The text of a conversation, its answers apart.
  ///
  /// A template that marks answers itself (`{% generation %}`) decides. Of any other, the text is
  /// made a second time with a stand-in for each answer, which shows where the template puts them; the
  /// special token that follows an answer, such as `<|im_end|>`, belongs to it. Where an answer is more
  /// than a text (a call of a tool, reasoning beside it), or none, what the template adds to the prompt
  /// before it is the answer.
  ///
  /// - Parameters:
  ///   - specials: Spellings of the tokens that mark structure.
  /// - Throws: `ChatTemplateError` also when the template changes an answer beyond recognition.
  package func answers(
    of messages: [JSONValue], variables: JSONObject, specials: [[UInt8]]
  ) throws(ChatTemplateError) -> ChatText {
    var names = variables
    names["messages"] = .array(messages)
    names["add_generation_prompt"] = false
    let (text, marked) = try rendered(names)
    if !marked.isEmpty { return Self.cut(text, at: marked) }
    if messages.contains(where: \.isAnswerBesideText) {
      return try answersByPrefix(of: messages, names, text, specials)
    }
    var contents: [(stand: [UInt8], content: [UInt8])] = []
    names["messages"] = .array(
      messages.enumerated().map { i, message in
        guard message["role"]?.string == "assistant", let content = message["content"]?.string,
          var copy = message.object
        else { return message }
        // Private characters, which no conversation holds.
        let stand = "\u{E000}\(i)\u{E001}"
        contents.append((Array(stand.utf8), Array(content.utf8)))
        copy["content"] = .string(stand)
        return .object(copy)
      })
    let outline = try rendered(names).text
    let frames = Self.frames(outline, around: contents.map(\.stand))
    return try Self.fill(frames, contents.map(\.content), text, specials)
  }

  func rendered(
    _ names: JSONObject
  ) throws(ChatTemplateError) -> (text: [UInt8], answers: [Range<Int>]) {
    var renderer = TemplateRenderer(names, date: date)
    let text = try renderer.render(statements)
    return (Array(text.utf8), renderer.answers)
  }

  static func cut(_ text: [UInt8], at answers: [Range<Int>]) -> ChatText {
    var result = ChatText()
    var done = 0
    for answer in answers where answer.lowerBound >= done {
      result.parts.append(.init(Array(text[done..<answer.lowerBound]), isAnswer: false))
      result.parts.append(.init(Array(text[answer]), isAnswer: true))
      done = answer.upperBound
    }
    result.parts.append(.init(Array(text[done...]), isAnswer: false))
    result.parts.removeAll(where: \.bytes.isEmpty)
    return result
  }

  /// The text before, between and after the stand-ins; those that are not shown are nil.
  private static func frames(
    _ outline: [UInt8], around stands: [[UInt8]]
  ) -> [(before: [UInt8], answer: Int?)] {
    var frames: [(before: [UInt8], answer: Int?)] = []
    var done = 0
    for (i, stand) in stands.enumerated() {
      guard let place = outline.firstRange(of: stand, from: done) else { continue }
      frames.append((Array(outline[done..<place.lowerBound]), i))
      done = place.upperBound
    }
    return frames + [(Array(outline[done...]), nil)]
  }

  /// Finds the frames in the real text; what stands between them are the answers.
  private static func fill(
    _ frames: [(before: [UInt8], answer: Int?)], _ contents: [[UInt8]], _ text: [UInt8],
    _ specials: [[UInt8]]
  ) throws(ChatTemplateError) -> ChatText {
    var result = ChatText()
    var done = 0
    for (i, frame) in frames.enumerated() {
      let isLast = i == frames.count - 1
      var answerEnd = done
      if i > 0 {
        let content = contents[frames[i - 1].answer ?? 0]
        guard let end = answerEnding(text, done, content, before: frame.before, isLast) else {
          throw ChatTemplateError(.answerNotFound(number: i))
        }
        answerEnd = end
      } else if !text.starts(with: frame.before) {
        throw ChatTemplateError(.answerNotFound(number: 1))
      }
      let closing = i > 0 ? closingToken(frame.before, specials) : 0
      let answer = Array(text[done..<answerEnd]) + frame.before.prefix(closing)
      if i > 0, !answer.isEmpty { result.parts.append(.init(answer, isAnswer: true)) }
      if frame.before.count > closing {
        result.parts.append(.init(Array(frame.before.dropFirst(closing)), isAnswer: false))
      }
      if isLast, i > 0 {
        result.endsOpen = closing == 0 && frame.before.allSatisfy { $0 == 0x20 || $0 == 0x0A }
      }
      done = answerEnd + frame.before.count
    }
    return result
  }

  /// Where the answer that starts at `start` ends: after its content as it was given, or before the
  /// next occurrence of what follows it.
  private static func answerEnding(
    _ text: [UInt8], _ start: Int, _ content: [UInt8], before next: [UInt8], _ isLast: Bool
  ) -> Int? {
    let rest = text[start...]
    if rest.starts(with: content), rest.dropFirst(content.count).starts(with: next),
      !isLast || rest.count == content.count + next.count
    {
      return start + content.count
    }
    if isLast {
      return rest.count >= next.count && rest.suffix(next.count).elementsEqual(next)
        ? text.count - next.count : nil
    }
    return next.isEmpty ? nil : text.firstRange(of: next, from: start)?.lowerBound
  }

  /// Bytes of the special token that `text` starts with; 0 when there is none.
  private static func closingToken(_ text: [UInt8], _ specials: [[UInt8]]) -> Int {
    specials.filter { !$0.isEmpty && text.starts(with: $0) }.map(\.count).max() ?? 0
  }
}

extension [UInt8] {
  /// The first place of `pattern` from `start` on.
  func firstRange(of pattern: [UInt8], from start: Int) -> Range<Int>? {
    guard !pattern.isEmpty, count - start >= pattern.count else { return nil }
    for i in start...(count - pattern.count)
    where self[i] == pattern[0] && self[i...].starts(with: pattern) {
      return i..<(i + pattern.count)
    }
    return nil
  }
}
