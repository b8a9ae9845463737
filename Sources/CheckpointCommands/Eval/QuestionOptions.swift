import ArgumentParser
import Scoring

extension AnswerMatch: ExpressibleByArgument {}
extension EvalTask: ExpressibleByArgument {}

extension PromptTemplate: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

/// How questions are asked.
struct QuestionOptions: ParsableArguments {
  @Option(help: "The prompt, with the record's fields in braces; \\n is a line break.")
  var template = PromptTemplate.question

  @Option(help: "Examples with their answers in each prompt.") var shots = 0

  @Option(
    help:
      "File of the examples; by default the first records of the data, which are then not asked.",
    completion: .file())
  var shotsFrom: String?

  @Option(help: "At most this many questions; all by default.") var limit: Int?

  @Option(help: "At most this many tokens per answer.") var maxTokens = 256

  @Option(help: "End an answer before this text; repeatable; by default where the prompt recurs.")
  var stop: [String] = []

  @Option(help: "How to compare answers; by default as each record's own answer calls for.")
  var match: AnswerMatch?

  @Option(
    help: "Write the model's answer to each question to this JSONL file.", completion: .file())
  var samples: String?

  @Option(help: "Also score the records of each value of this field separately.") var by: String?

  func validate() throws {
    if shots < 0 || limit ?? 1 < 1 || maxTokens < 1 {
      throw ValidationError("--shots must be 0 or more, --limit and --max-tokens at least 1.")
    }
    if stop.contains("") { throw ValidationError("--stop needs a text.") }
  }

  /// Texts that end an answer.
  var stops: [String] { stop.isEmpty ? [template.opening] : stop }

  var questions: Questions {
    Questions(template: template, shots: shots, shotsFrom: shotsFrom, limit: limit)
  }
}
