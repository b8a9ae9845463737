package import JSON

/// One question that `verify` asks, and its answer.
package struct Check: Equatable, Sendable {
  package enum Verdict: String, Sendable {
    case passed
    case failed
    /// Could not be asked; the detail says what is missing. Not a pass, and not a failure.
    case skipped
  }

  /// Stable identifier, such as `parity.hidden`.
  package var name: String
  package var verdict: Verdict
  /// One sentence with the numbers.
  package var detail: String
  /// The numbers themselves.
  package var measures: JSONObject

  package init(_ name: String, _ verdict: Verdict, _ detail: String, measures: JSONObject = [:]) {
    self.name = name
    self.verdict = verdict
    self.detail = detail
    self.measures = measures
  }

  package var json: JSONValue {
    [
      "name": .string(name), "verdict": .string(verdict.rawValue), "detail": .string(detail),
      "measures": .object(measures),
    ]
  }
}
