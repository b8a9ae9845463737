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
  var seconds: Double

  init(
    prompt: String, promptTokens: Int, tokens: [Int32], text: String,
    reason: GenerationSession.Reason, depths: [Int], seconds: Double
  ) {
    self.prompt = prompt
    self.promptTokens = promptTokens
    self.tokens = tokens
    continuation = text
    self.reason = reason
    self.depths = depths
    self.seconds = seconds
  }

  private var meanDepth: Double { Double(depths.reduce(0, +)) / Double(max(1, depths.count)) }

  var json: JSONObject {
    [
      "prompt": .string(prompt), "prompt_tokens": JSONValue(promptTokens),
      "text": .string(continuation), "ids": .array(tokens.map { JSONValue(Int($0)) }),
      "finish_reason": .string(reason.rawValue), "mean_recurrence": JSONValue(meanDepth),
      "recurrences": .array(depths.map { JSONValue($0) }),
      "tokens_per_second": JSONValue(
        seconds > 0 ? Double(max(0, tokens.count - 1)) / seconds : 0),
    ]
  }
}
