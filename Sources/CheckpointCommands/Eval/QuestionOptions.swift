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
    help: "File of the examples; by default the first records of the data, then not asked.",
    completion: .file())
  var shotsFrom: String?

  @Option(help: "Most questions; all of them by default.") var limit: Int?

  @Option(help: "Most tokens of an answer.") var maxTokens = 256

  @Option(help: "End an answer before this text; repeatable; by default where the prompt recurs.")
  var stop: [String] = []

  @Option(help: "How answers are compared: number or text; each as its own answer asks by default.")
  var match: AnswerMatch?

  @Option(
    help: "Write what the model said to each question to this JSONL file.", completion: .file())
  var samples: String?

  @Option(help: "Score the records of each value of this field apart too.") var by: String?

  func validate() throws {
    if shots < 0 || limit ?? 1 < 1 || maxTokens < 1 {
      throw ValidationError("--shots is from 0 on, --limit and --max-tokens are at least 1.")
    }
    if stop.contains("") { throw ValidationError("--stop needs a text.") }
  }

  /// Texts that end an answer.
  var stops: [String] { stop.isEmpty ? [template.opening] : stop }

  var questions: Questions {
    Questions(template: template, shots: shots, shotsFrom: shotsFrom, limit: limit)
  }
}
