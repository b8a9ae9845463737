/// Sequences as the model takes them.
package struct TokenBatch: Equatable, Sendable {
  /// `[B, S]`.
  package var tokens: [Int32]
  /// `[B, S]`, the token that follows each; -100 where the loss does not count.
  package var labels: [Int32]
  package var rows: Int
  /// Number of the first row: random initial states depend on it, not on how rows are grouped.
  package var firstRow: Int
  /// `[B, S]`, index in its row of the first token that each token sees; nil means 0.
  package var firstVisible: [Int32]?

  /// - Parameter attention: Documents that are kept apart also do not predict one another.
  package init(
    _ rows: [[UInt32]], firstRow: Int = 0,
    attention: TrainingSettings.Data.Attention = .sequence
  ) {
    self.rows = rows.count
    self.firstRow = firstRow
    let hidden =
      attention == .document
      ? TokenMark.notLearned | TokenMark.startsDocument : TokenMark.notLearned
    tokens = rows.flatMap { $0.dropLast().map { Int32(bitPattern: $0 & TokenMark.id) } }
    labels = rows.flatMap { row in
      row.dropFirst().map { $0 & hidden == 0 ? Int32(bitPattern: $0 & TokenMark.id) : -100 }
    }
    guard attention == .document else { return }
    let first = rows.flatMap { row in
      var start: Int32 = 0
      return row.dropLast().enumerated().map { i, token in
        if token & TokenMark.startsDocument != 0 { start = Int32(i) }
        return start
      }
    }
    firstVisible = first.allSatisfy { $0 == 0 } ? nil : first
  }

  /// Number of labels that count.
  package var targetCount: Int { labels.count { $0 >= 0 } }

  /// The same, of each row.
  package var targetCounts: [Int] {
    let length = labels.count / max(rows, 1)
    return (0..<rows).map { row in
      labels[row * length..<(row + 1) * length].count { $0 >= 0 }
    }
  }
}
