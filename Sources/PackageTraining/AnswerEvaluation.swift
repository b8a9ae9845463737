import Scoring
import Training
import Transformer

/// Scores the recipe's questions with the parameters as they are now.
struct AnswerEvaluation {
  let questions: DocumentScoring
  let network: TrainableModel
  /// Of the start states.
  let seed: UInt64
  let exchange: any GradientExchange

  /// The mean over all questions, which the ranks share; the same for any number of them.
  func answers(recurrence: Int?) throws -> EvaluationRecord.Answers {
    let scores = try questions.scores(share: (exchange.rank, exchange.worldSize)) { batch, labels in
      try network.scores(batch, labels: labels, recurrence: recurrence, state: .seeded(seed))
    }
    func total(_ measure: String) throws -> Double {
      try exchange.sum(scores.map { $0[measure] ?? 0 }).reduce(0, +)
    }
    let (exact, count) = (try total("exact") / Double(scores.count), Double(scores.count))
    return .init(
      exact: exact,
      exactError: count < 2 ? nil : (exact * (1 - exact) / (count - 1)).squareRoot(),
      loss: try total("nats") / total("tokens"))
  }
}
