import ByteIO
import Generation
import JSON
import Transformer

/// What `ckpt generate` made. The text itself was written as it was made.
struct GenerateReport: Report {
  static let command = "generate"

  /// Of the one prompt there was; nil where each of several was written when its turn had come.
  var one: ContinuationReport?
  var next: String?
  /// Whether the documents of several prompts are all that there is to say.
  var isSilent = false

  var text: String { "" }
  var json: JSONObject { one?.json ?? [:] }
}

/// One continuation, for a program.
struct ContinuationReport {
  let prompt: String
  let continuation: Continuation
  private let cacheEntries: Int
  private let drafts: Bool
  /// Of a file's prompt.
  private let seed: UInt64?

  init(prompt: String, continuation: Continuation, of decoder: Decoder, seed: UInt64? = nil) {
    self.prompt = prompt
    self.continuation = continuation
    cacheEntries = decoder.entryCount
    drafts = decoder.draft != nil
    self.seed = seed
  }

  private func rate(_ count: Int, _ seconds: Double) -> JSONValue {
    JSONValue(seconds > 0 ? Double(max(0, count)) / seconds : 0)
  }

  /// How deep the tokens thought, for a person.
  var depthLine: String {
    "\(continuation.made.count) tokens, \(fixed(continuation.meanDepth, 2)) recurrences per token, "
      + "at most \(continuation.depths.max() ?? 0)"
  }

  /// How good the guesses were, for a person.
  var draftLine: String {
    "\(continuation.made.count) tokens, \(continuation.drafted) guessed, "
      + "\(continuation.accepted) of them right"
  }

  var json: JSONObject {
    var object: JSONObject = [
      "prompt": .string(prompt), "prompt_tokens": JSONValue(continuation.promptCount),
      "text": .string(continuation.text),
      "ids": .array(continuation.made.map { JSONValue(Int($0)) }),
      "finish_reason": .string(continuation.reason.rawValue),
      "mean_recurrence": JSONValue(continuation.meanDepth),
      "recurrences": .array(continuation.depths.map { JSONValue($0) }),
      "cache_entries": JSONValue(cacheEntries),
      // The first token comes of the prompt.
      "prompt_tokens_per_second": rate(continuation.promptCount, continuation.promptSeconds),
      "tokens_per_second": rate(continuation.made.count - 1, continuation.seconds),
    ]
    if drafts {
      object["drafted"] = JSONValue(continuation.drafted)
      object["accepted"] = JSONValue(continuation.accepted)
    }
    if let seed {
      object["index"] = JSONValue(continuation.number)
      object["seed"] = .number(JSONNumber(text: "\(seed)"))
    }
    return object
  }
}
