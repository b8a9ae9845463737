import ByteIO
import Generation
import JSON

/// What `ckpt generate` made. The text itself was written as it was made.
enum GenerateReport: Report {
  case one(ContinuationReport)
  /// Each was written when its turn had come.
  case written

  static let command = "generate"

  var isSilent: Bool { if case .written = self { true } else { false } }
  var text: String { "" }
  var json: JSONObject { if case .one(let report) = self { report.json } else { [:] } }
}

/// One continuation, for a program.
struct ContinuationReport {
  var prompt: String
  var continuation: Continuation
  var cacheEntries: Int
  /// Of a file's prompt.
  var seed: UInt64?

  private func rate(_ count: Int, _ seconds: Double) -> JSONValue {
    JSONValue(seconds > 0 ? Double(max(0, count)) / seconds : 0)
  }

  private var meanDepth: Double {
    Double(continuation.depths.reduce(0, +)) / Double(max(1, continuation.depths.count))
  }

  /// How deep the tokens thought, for a person.
  var depthLine: String {
    "\(continuation.made.count) tokens, \(fixed(meanDepth, 2)) recurrences a token, "
      + "at most \(continuation.depths.max() ?? 0)"
  }

  var json: JSONObject {
    var object: JSONObject = [
      "prompt": .string(prompt), "prompt_tokens": JSONValue(continuation.promptCount),
      "text": .string(continuation.text),
      "ids": .array(continuation.made.map { JSONValue(Int($0)) }),
      "finish_reason": .string(continuation.reason.rawValue),
      "mean_recurrence": JSONValue(meanDepth),
      "recurrences": .array(continuation.depths.map { JSONValue($0) }),
      "cache_entries": JSONValue(cacheEntries),
      // The first token comes of the prompt.
      "prompt_tokens_per_second": rate(continuation.promptCount, continuation.promptSeconds),
      "tokens_per_second": rate(continuation.made.count - 1, continuation.seconds),
    ]
    if let seed {
      object["index"] = JSONValue(continuation.number)
      object["seed"] = .number(JSONNumber(text: "\(seed)"))
    }
    return object
  }
}
