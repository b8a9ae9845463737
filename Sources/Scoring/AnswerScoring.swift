import ByteIO
package import Generation
package import JSON
package import Tokenizers
import Training
package import Transformer

/// How an answer of the model is compared with the given one.
package enum AnswerMatch: String, CaseIterable {
  /// By the number that it comes to.
  case number
  /// By its text, white space around it aside.
  case text
}

/// Lets the model answer questions, and counts the answers that are right.
package struct AnswerScoring {
  /// A question ready to be asked.
  private struct Item {
    let line: Int
    let tokens: [Int32]
    let reference: String
    let match: AnswerMatch
  }

  private let tokenizer: Tokenizer
  private let endings: Endings
  private let maxTokens: Int
  private var items: [Item] = []

  /// - Parameters:
  ///   - prompts: The questions' prompts, with the examples before them.
  ///   - match: Nil compares numbers where the given answer is one, or marks one with `####`.
  ///   - context: Tokens that the model takes.
  package init(
    _ records: [EvalRecord], prompts: [String], tokenizer: Tokenizer, match: AnswerMatch?,
    endings: Endings, maxTokens: Int, context: Int
  ) throws {
    self.tokenizer = tokenizer
    self.endings = endings
    self.maxTokens = maxTokens
    for (record, prompt) in zip(records, prompts) {
      let tokens = try tokenizer.encode(prompt, addSpecialTokens: true)
      guard !tokens.isEmpty, tokens.count < context else {
        throw record.error(.promptLength(tokens: tokens.count, context: context))
      }
      let reference = try record.text("answer")
      items.append(
        Item(
          line: record.line, tokens: tokens, reference: reference,
          match: match ?? Self.match(for: reference)))
    }
  }

  private static func match(for reference: String) -> AnswerMatch {
    let plain = reference.replacing(",", with: "").replacing("\u{2212}", with: "-")
    return reference.contains("####") || Double(plain) != nil ? .number : .text
  }

  /// Answers every question greedily, as many at a time as the decoder has places.
  ///
  /// - Parameters:
  ///   - exit: Lets each token after a prompt leave the core early.
  ///   - sample: Gets what a file of samples says of each, in their order.
  /// - Returns: 1 or 0 for each question, under the measure's name; with an exit also `recurrences`, the
  ///   passes through the core that an answer's tokens took on average.
  package func scores(
    _ decoder: Decoder, exit: ExitRule? = nil, _ sample: (JSONObject) -> Void
  ) throws -> [[String: Double]] {
    let prompts = items.map { item in
      Prompt(item.tokens, limit: min(maxTokens, decoder.contextLength - item.tokens.count))
    }
    var samples = InOrder<JSONObject>()
    var scores = [[String: Double]](repeating: [:], count: items.count)
    try Generator(decoder, tokenizer, endings).run(prompts, exit: exit) { answer in
      try Interruption.check()
      let item = items[answer.number]
      let isRight = Self.agrees(answer.text, item.reference, item.match)
      scores[answer.number] = ["exact_match": isRight ? 1 : 0]
      if exit != nil { scores[answer.number]["recurrences"] = answer.meanDepth }
      let object: JSONObject = [
        "line": JSONValue(item.line), "answer": .string(answer.text),
        "reference": .string(item.reference), "correct": .bool(isRight),
      ]
      for object in samples.add(object, at: answer.number) { sample(object) }
    }
    try Interruption.check()
    return scores
  }

  private static func agrees(_ answer: String, _ reference: String, _ match: AnswerMatch) -> Bool {
    switch match {
    case .number:
      guard let wanted = finalNumber(reference) else { return false }
      return finalNumber(answer) == wanted
    case .text: return trimmed(answer) == trimmed(reference)
    }
  }

  private static func trimmed(_ text: String) -> [UInt8] {
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
    var bytes = Array(text.utf8)[...]
    while bytes.first.map(isSpace) ?? false { bytes.removeFirst() }
    while bytes.last.map(isSpace) ?? false { bytes.removeLast() }
    return Array(bytes)
  }
}
