package import Charts
package import JSON

/// A line of `evaluations.jsonl`: held-out loss at several recurrences, and what questions score.
package struct EvaluationRecord: Equatable, Sendable {
  package struct Result: Equatable, Sendable {
    /// nil for a model that is not recurrent.
    package var recurrence: Int?
    /// Nats a token.
    package var loss: Double
    /// Standard error of the loss over the rows; nil with a single row.
    package var lossError: Double?
    /// Of `evaluation.questions`; nil where there are none.
    package var answers: Answers?

    package init(
      recurrence: Int?, loss: Double, lossError: Double? = nil, answers: Answers? = nil
    ) {
      self.recurrence = recurrence
      self.loss = loss
      self.lossError = lossError
      self.answers = answers
    }

    /// For comparison: 0 for a model that is not recurrent.
    var depth: Int { recurrence ?? 0 }

    var json: JSONValue {
      var json: JSONObject = ["recurrence": JSONValue(recurrence), "loss": JSONValue(loss)]
      if let lossError { json["loss_error"] = JSONValue(lossError) }
      if let answers {
        json["exact"] = JSONValue(answers.exact)
        if let error = answers.exactError { json["exact_error"] = JSONValue(error) }
        json["answer_loss"] = JSONValue(answers.loss)
      }
      return .object(json)
    }

    /// Reads what `json` writes; nil when a field is missing.
    init?(_ value: JSONValue) {
      guard let loss = value["loss"]?.double else { return nil }
      self.init(
        recurrence: value["recurrence"]?.integer, loss: loss,
        lossError: value["loss_error"]?.double)
      if let exact = value["exact"]?.double, let loss = value["answer_loss"]?.double {
        answers = Answers(exact: exact, exactError: value["exact_error"]?.double, loss: loss)
      }
    }
  }

  /// How questions were answered.
  package struct Answers: Equatable, Sendable {
    /// The share whose whole answer greedy decoding gives.
    package var exact: Double
    /// Standard error of that share over the questions; nil with a single one.
    package var exactError: Double?
    /// Nats a token of the answers.
    package var loss: Double

    package init(exact: Double, exactError: Double? = nil, loss: Double) {
      self.exact = exact
      self.exactError = exactError
      self.loss = loss
    }
  }

  /// The model that the trained one was made from, on the same rows.
  package struct Source: Equatable, Sendable {
    /// Of its file or folder.
    package var name: String
    /// Nats a token.
    package var loss: Double
    package var parameters: Int
    /// How it goes on after the beginnings of the record's samples; nil where it does not.
    package var texts: [String?]

    package init(name: String, loss: Double, parameters: Int, texts: [String?] = []) {
      self.name = name
      self.loss = loss
      self.parameters = parameters
      self.texts = texts
    }

    /// In a chart of losses.
    package var level: LineChart.Level { .init("source", loss) }

    var json: JSONValue {
      [
        "name": .string(name), "loss": JSONValue(loss), "parameters": JSONValue(parameters),
        "texts": .array(texts.map { JSONValue($0) }),
      ]
    }

    init?(_ value: JSONValue?) {
      guard let name = value?["name"]?.string, let loss = value?["loss"]?.double,
        let count = value?["parameters"]?.integer
      else { return nil }
      self.init(
        name: name, loss: loss, parameters: count,
        texts: value?["texts"]?.array?.map(\.string) ?? [])
    }
  }

  /// How the model goes on after the first tokens of a held-out row.
  package struct Sample: Equatable, Sendable {
    /// nil for a model that is not recurrent.
    package var recurrence: Int?
    package var prompt: String
    /// What greedy decoding gives.
    package var text: String
    /// How the row itself goes on.
    package var heldOut: String

    package init(recurrence: Int?, prompt: String, text: String, heldOut: String) {
      self.recurrence = recurrence
      self.prompt = prompt
      self.text = text
      self.heldOut = heldOut
    }

    var json: JSONValue {
      [
        "recurrence": JSONValue(recurrence), "prompt": .string(prompt), "text": .string(text),
        "held_out": .string(heldOut),
      ]
    }

    init?(_ value: JSONValue) {
      guard let prompt = value["prompt"]?.string, let text = value["text"]?.string,
        let heldOut = value["held_out"]?.string
      else { return nil }
      self.init(
        recurrence: value["recurrence"]?.integer, prompt: prompt, text: text, heldOut: heldOut)
    }
  }

  /// Steps done; 0 before the first.
  package var step: Int
  /// Trained on so far.
  package var tokens: Int
  package var results: [Result]
  /// Tokens of the held-out rows that were predicted; nil in a record of a version that did not say.
  package var heldOutTokens: Int?
  /// In the first record alone; nil where no source was named.
  package var source: Source?
  /// In the first and the last record.
  package var samples: [Sample] = []

  package init(step: Int, tokens: Int, results: [Result]) {
    self.step = step
    self.tokens = tokens
    self.results = results
  }

  package var json: JSONValue {
    var json: JSONObject = [
      "step": JSONValue(step), "tokens": JSONValue(tokens),
      "results": .array(results.map(\.json)),
    ]
    if let heldOutTokens { json["held_out_tokens"] = JSONValue(heldOutTokens) }
    if let source { json["source"] = source.json }
    if !samples.isEmpty { json["samples"] = .array(samples.map(\.json)) }
    return .object(json)
  }

  /// Reads what `json` writes; nil when a field is missing.
  package init?(_ value: JSONValue) {
    guard let step = value["step"]?.integer, let tokens = value["tokens"]?.integer,
      let list = value["results"]?.array
    else { return nil }
    self.init(step: step, tokens: tokens, results: list.compactMap { Result($0) })
    heldOutTokens = value["held_out_tokens"]?.integer
    source = Source(value["source"])
    samples = value["samples"]?.array?.compactMap { Sample($0) } ?? []
  }

  /// The mean over all recurrences: what "best" means.
  package var meanLoss: Double {
    results.reduce(0) { $0 + $1.loss } / Double(max(results.count, 1))
  }
}
