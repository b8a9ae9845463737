import Generation
import JSON

/// What `ckpt generate` made. The text itself was written as it was made.
struct GenerateReport: Report {
  static let command = "generate"

  var prompt: String
  var promptTokens: Int
  var tokens: [Int32]
  var text = ""
  var continuation: String
  var reason: GenerationSession.Reason
  var depths: [Int]
  var cacheEntries: Int
  var promptSeconds: Double
  /// Time of all tokens but the first, which the prompt gave.
  var seconds: Double

  init(prompt: String, promptTokens: Int, of session: GenerationSession) {
    self.prompt = prompt
    self.promptTokens = promptTokens
    tokens = session.made
    continuation = session.text
    reason = session.reason
    depths = session.depths
    cacheEntries = session.cacheEntries
    promptSeconds = session.promptSeconds
    seconds = session.seconds
  }

  private func rate(_ count: Int, _ seconds: Double) -> JSONValue {
    JSONValue(seconds > 0 ? Double(max(0, count)) / seconds : 0)
  }

  private var meanDepth: Double { Double(depths.reduce(0, +)) / Double(max(1, depths.count)) }

  var json: JSONObject {
    [
      "prompt": .string(prompt), "prompt_tokens": JSONValue(promptTokens),
      "text": .string(continuation), "ids": .array(tokens.map { JSONValue(Int($0)) }),
      "finish_reason": .string(reason.rawValue), "mean_recurrence": JSONValue(meanDepth),
      "recurrences": .array(depths.map { JSONValue($0) }),
      "cache_entries": JSONValue(cacheEntries),
      "prompt_tokens_per_second": rate(promptTokens, promptSeconds),
      "tokens_per_second": rate(tokens.count - 1, seconds),
    ]
  }
}
