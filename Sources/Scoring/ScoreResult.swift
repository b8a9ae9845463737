/// Scores at one number of recurrences.
package struct ScoreResult {
  /// Nil for a source model.
  package var recurrence: Int?
  /// The rule by which tokens stopped recurring early; nil where all made as many passes.
  package var exit: String?
  /// By start state and question, a number under each measure's name.
  package var scores: [[[String: Double]]]

  package init(recurrence: Int?, exit: String? = nil, scores: [[[String: Double]]]) {
    self.recurrence = recurrence
    self.exit = exit
    self.scores = scores
  }

  package var exampleCount: Int { scores.first?.count ?? 0 }

  /// The same of some questions alone.
  package func only(_ questions: [Int]) -> ScoreResult {
    ScoreResult(
      recurrence: recurrence, exit: exit,
      scores: scores.map { scores in questions.map { scores[$0] } })
  }

  /// Mean over questions and start states, and its standard errors: over the questions, and over the
  /// start states when there are several.
  package func statistics(_ measure: String) -> (mean: Double, error: Double?, seedError: Double?) {
    let values = scores.map { $0.map { $0[measure] ?? 0 } }
    let questions = (0..<exampleCount).map { i in Self.mean(values.map { $0[i] }) }
    return (
      Self.mean(questions), Self.standardError(questions),
      Self.standardError(values.map(Self.mean))
    )
  }

  private static func mean(_ values: [Double]) -> Double {
    values.reduce(0, +) / Double(values.count)
  }

  /// Sample standard deviation over the root of the count; nil for fewer than two values.
  private static func standardError(_ values: [Double]) -> Double? {
    guard values.count > 1 else { return nil }
    let centre = mean(values)
    let squares = values.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
    return (squares / Double(values.count - 1) / Double(values.count)).squareRoot()
  }
}
