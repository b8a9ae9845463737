import Platform
package import Transformer

/// The loss at one number of recurrences.
package struct LossResult {
  /// Nil for a source model.
  package var recurrence: Int?
  /// Passes whose keys and values were kept, and the bytes of a token's; nil without a cache.
  package var cache: (window: Int, bytes: Int)?
  /// One for each start state.
  package var sums: [LossSum]

  package init(recurrence: Int?, cache: (window: Int, bytes: Int)? = nil, sums: [LossSum]) {
    self.recurrence = recurrence
    self.cache = cache
    self.sums = sums
  }

  /// Mean over the start states, in nats a token.
  package var loss: Double { sums.reduce(0) { $0 + $1.mean } / Double(sums.count) }
  /// Tokens that were predicted.
  package var tokenCount: Int { sums.first?.count ?? 0 }

  /// Standard error of `loss` over the start states; nil with a single one.
  package var standardError: Double? {
    guard sums.count > 1 else { return nil }
    let squares = sums.reduce(0) { $0 + ($1.mean - loss) * ($1.mean - loss) }
    return (squares / Double(sums.count - 1) / Double(sums.count)).squareRoot()
  }

  package var perplexity: Double { exp(loss) }
}
