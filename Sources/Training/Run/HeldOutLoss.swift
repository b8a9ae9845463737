package import Transformer

/// The loss of a model on the held-out rows, of which the processes of a group do a share each.
package struct HeldOutLoss {
  package struct Value {
    /// Nats a token; NaN without labels.
    package var mean: Double
    /// Its standard error over the rows, as that of a ratio of two sums (Cochran, Sampling Techniques,
    /// chapter 6); nil with a single row that has labels.
    package var error: Double?
    /// Labels of all rows.
    package var tokens: Int
  }

  private let rows: [[UInt32]]
  private let batchSize: Int
  private let attention: TrainingSettings.Data.Attention
  private let exchange: any GradientExchange

  /// - Parameter rows: In their order, as the data has them.
  package init(
    of rows: [[UInt32]], _ settings: TrainingSettings, over exchange: any GradientExchange
  ) {
    self.rows = rows
    batchSize = settings.microBatchSize
    attention = settings.data.attention
    self.exchange = exchange
  }

  /// - Parameter losses: Gives the loss of each row of a batch.
  package func measured(_ losses: (TokenBatch) throws -> [LossSum]) throws -> Value {
    var (nats, counts) = (Array(repeating: 0.0, count: rows.count), [Int]())
    for (number, start) in stride(from: 0, to: rows.count, by: batchSize).enumerated() {
      let part = start..<min(start + batchSize, rows.count)
      let batch = TokenBatch(Array(rows[part]), firstRow: start, attention: attention)
      let own = batch.targetCounts
      counts += own
      if own.allSatisfy({ $0 == 0 }) || number % exchange.worldSize != exchange.rank { continue }
      for (row, sum) in zip(part, try losses(batch)) where sum.count > 0 { nats[row] = sum.nats }
    }
    let total = counts.reduce(0, +)
    if total == 0 { return Value(mean: .nan, error: nil, tokens: 0) }
    nats = try exchange.sum(nats)
    let mean = nats.reduce(0, +) / Double(total)
    let used = Double(counts.count { $0 > 0 })
    if used < 2 { return Value(mean: mean, error: nil, tokens: total) }
    let squares = zip(nats, counts).reduce(0) { sum, row in
      let rest = row.0 - mean * Double(row.1)
      return sum + rest * rest
    }
    let error = (squares * used / (used - 1)).squareRoot() / Double(total)
    return Value(mean: mean, error: error, tokens: total)
  }
}
