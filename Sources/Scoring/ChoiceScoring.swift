import ByteIO
package import JSON
package import Tokenizers
import Training
package import Transformer

/// Asks which of several answers the model finds the most likely, as lm-evaluation-harness does.
package struct ChoiceScoring {
  /// An answer after its prompt, as tokens.
  private struct Choice {
    let context: [Int32]
    let answer: [Int32]
    let characterCount: Int
    let byteCount: Int
  }

  private struct Item {
    let line: Int
    let choices: [Choice]
    let right: Int
  }

  private var items: [Item] = []

  package init(
    _ records: [EvalRecord], prompts: [String], tokenizer: Tokenizer, context: Int
  ) throws {
    for (record, prompt) in zip(records, prompts) {
      let (texts, labels) = try record.choices()
      let choices = try texts.map { text in
        let choice = try Self.choice(text, after: prompt, tokenizer)
        let count = choice.context.count + choice.answer.count
        guard !choice.context.isEmpty, !choice.answer.isEmpty, count <= context else {
          throw record.error(.promptLength(tokens: count, context: context))
        }
        return choice
      }
      items.append(
        Item(
          line: record.line, choices: choices, right: try record.rightChoice(texts, labels)))
    }
  }

  /// The answer's tokens are what the whole text has beyond the prompt's; spaces at the prompt's end
  /// belong to the answer.
  private static func choice(
    _ text: String, after prompt: String, _ tokenizer: Tokenizer
  ) throws -> Choice {
    var context = Substring(prompt)
    while context.last?.isWhitespace ?? false { context.removeLast() }
    let whole = try tokenizer.encode(prompt + " " + text, addSpecialTokens: true)
    let count = try tokenizer.encode(String(context), addSpecialTokens: true).count
    return Choice(
      context: Array(whole.prefix(count)), answer: Array(whole.dropFirst(count)),
      characterCount: text.unicodeScalars.count, byteCount: text.utf8.count)
  }

  /// Scores every question: `acc` by the sum of the log-likelihoods, `acc_norm` by that sum over the
  /// answer's characters, `acc_bytes` over its bytes.
  ///
  /// - Parameter sample: Gets what a file of samples says of each.
  package func scores(_ decoder: Decoder, _ sample: (JSONObject) -> Void) throws -> [[String:
    Double]]
  {
    try items.map { item in
      try Interruption.check()
      decoder.rewind()
      var known: [Int32] = []
      let likelihoods = try item.choices.map { choice in
        try likelihood(choice, decoder, known: &known)
      }
      func isRight(_ score: (Int) -> Double) -> Double {
        let scores = item.choices.indices.map(score)
        return scores.firstIndex(of: scores.max() ?? 0) == item.right ? 1 : 0
      }
      sample([
        "line": JSONValue(item.line),
        "log_likelihoods": .array(likelihoods.map { JSONValue($0) }),
        "right": JSONValue(item.right),
      ])
      return [
        "acc": isRight { likelihoods[$0] },
        "acc_norm": isRight { likelihoods[$0] / Double(item.choices[$0].characterCount) },
        "acc_bytes": isRight { likelihoods[$0] / Double(item.choices[$0].byteCount) },
      ]
    }
  }

  /// Sum of the log-likelihoods of the answer's tokens, in nats.
  ///
  /// - Parameter known: Tokens in the decoder's cache. The choices of a question share most of their
  ///   prompt, which then runs once.
  private func likelihood(
    _ choice: Choice, _ decoder: Decoder, known: inout [Int32]
  ) throws -> Double {
    let prompt = choice.context.dropLast()
    let shared = zip(prompt, known).prefix { $0 == $1 }.count
    decoder.rewind(to: shared)
    if shared < prompt.count { _ = try decoder.advance(Array(prompt[shared...])) }
    known = Array(prompt)
    let scored = choice.context.suffix(1) + choice.answer.dropLast()
    let losses = try decoder.losses(Array(scored), labels: choice.answer)
    return -losses.reduce(0.0) { $0 + Double($1) }
  }
}
