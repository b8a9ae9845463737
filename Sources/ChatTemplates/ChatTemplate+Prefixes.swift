import JSON

extension ChatTemplate {
  /// The text of a conversation whose answers are what the template adds to each prompt: the text of
  /// the messages before an answer, with the line that asks for one, is to be the beginning of the
  /// whole text, and so is the text up to the answer's end.
  ///
  /// - Parameter text: That of the whole conversation.
  func answersByPrefix(
    of messages: [JSONValue], _ variables: JSONObject, _ text: [UInt8], _ specials: [[UInt8]]
  ) throws(ChatTemplateError) -> ChatText {
    var answers: [Range<Int>] = []
    for (place, message) in messages.enumerated() where message.isAnswer {
      try checkShown(place, messages, variables, text)
      let end = try length(of: messages[...place], asking: false, variables, text)
      let start = try length(of: messages[..<place], asking: true, variables, text)
      guard let start, let end, start <= end, start >= answers.last?.upperBound ?? 0 else {
        throw ChatTemplateError(.answerNotFound(number: place + 1))
      }
      answers.append(start..<Self.closing(text, start..<end, specials))
    }
    var result = Self.cut(text, at: answers.filter { !$0.isEmpty })
    if let last = answers.last, messages.last?.isAnswer ?? false {
      let rest = text[last.upperBound...]
      let isClosed = specials.contains { !$0.isEmpty && text[last].suffix($0.count) == $0[...] }
      result.endsOpen = !isClosed && rest.allSatisfy { $0 == 0x20 || $0 == 0x0A }
    }
    return result
  }

  /// Throws when a message's tool calls make no difference to the text.
  private func checkShown(
    _ place: Int, _ messages: [JSONValue], _ variables: JSONObject, _ text: [UInt8]
  ) throws(ChatTemplateError) {
    guard messages[place]["tool_calls"]?.array?.isEmpty == false,
      var message = messages[place].object
    else { return }
    message["tool_calls"] = nil
    var (names, others) = (variables, messages)
    others[place] = .object(message)
    names["messages"] = .array(others)
    // A template that cannot write the message without its calls does write them.
    let without = try? rendered(names).text
    if without == text { throw ChatTemplateError(.toolCallNotShown(number: place + 1)) }
  }

  /// Bytes that the messages take at the beginning of `text`; nil when their text is not its
  /// beginning.
  private func length(
    of messages: ArraySlice<JSONValue>, asking: Bool, _ variables: JSONObject, _ text: [UInt8]
  ) throws(ChatTemplateError) -> Int? {
    // Before the first message there is no text that any template would make.
    if messages.isEmpty { return nil }
    var names = variables
    names["messages"] = .array(Array(messages))
    names["add_generation_prompt"] = .bool(asking)
    let part = try rendered(names).text
    return text.starts(with: part) ? part.count : nil
  }

  /// Where an answer's text ends: after its last special token, if only white space follows.
  private static func closing(_ text: [UInt8], _ answer: Range<Int>, _ specials: [[UInt8]]) -> Int {
    var end = answer.upperBound
    while end > answer.lowerBound, [0x20, 0x0A].contains(text[end - 1]) { end -= 1 }
    let body = text[answer.lowerBound..<end]
    let isClosed = specials.contains { !$0.isEmpty && body.suffix($0.count) == $0[...] }
    return isClosed ? end : answer.upperBound
  }
}

extension JSONValue {
  var isAnswer: Bool { self["role"]?.string == "assistant" }

  /// Whether it is an answer that a text in its place cannot stand for.
  var isAnswerBesideText: Bool {
    guard isAnswer, let members = object?.members else { return false }
    if self["content"]?.string?.isEmpty ?? true { return true }
    return members.contains { member in
      !["role", "content", "name"].contains(member.key) && !member.value.isEmptyValue
    }
  }

  private var isEmptyValue: Bool {
    switch self {
    case .null, .bool(false): true
    case .string(let text): text.isEmpty
    case .array(let elements): elements.isEmpty
    case .object(let object): object.members.isEmpty
    default: false
    }
  }
}
