import Tensors

/// Rows of tokens from one or more sources: the order in which a run reads them. Everything follows
/// from seed and cursor.
package struct Dataset: Sendable {
  package struct Source: Sendable {
    package var rows: any SourceRows
    package var weight: Double
  }

  package let sources: [Source]
  /// S: tokens of a sequence.
  package let sequenceLength: Int
  private let seed: UInt64
  private let vocabulary: Int

  private static let choiceStream: UInt64 = 0x736F_7572_6365_0000  // "source"

  /// - Parameter vocabulary: Rows of the model's embedding.
  package init(
    _ sources: [(rows: any SourceRows, weight: Double)], sequenceLength: Int, seed: UInt64,
    vocabulary: Int
  ) {
    self.sources = sources.map { Source(rows: $0.rows, weight: $0.weight) }
    self.sequenceLength = sequenceLength
    self.seed = seed
    self.vocabulary = vocabulary
  }

  package var startCursor: DataCursor {
    DataCursor(perSource: sources.map { _ in 0 }, streams: sources.map { $0.rows.start })
  }

  /// The next row to train on, S + 1 tokens with their marks.
  package func next(_ cursor: inout DataCursor) throws -> [UInt32] {
    let index = choose(at: cursor.rowCount)
    let rows = sources[index].rows
    let row = try rows.next(after: cursor.perSource[index], &cursor.streams[index])
    cursor.perSource[index] += 1
    return try checked(row, of: rows)
  }

  /// The source of row `number` of the run: drawn by weight.
  private func choose(at number: Int) -> Int {
    let total = sources.reduce(0) { $0 + $1.weight }
    let random = RandomStream(seed: seed, stream: Self.choiceStream)
    var rest = random.uniform(at: UInt64(number)) * total
    for (index, source) in sources.enumerated() {
      rest -= source.weight
      if rest < 0 { return index }
    }
    return sources.count - 1
  }

  private func checked(
    _ tokens: [UInt32], of rows: any SourceRows
  ) throws(DataError) -> [UInt32] {
    if let bad = tokens.first(where: { $0 & TokenMark.id >= vocabulary }) {
      throw DataError(
        .tokenOutOfRange(id: Int(bad & TokenMark.id), vocabulary: vocabulary), rows.path)
    }
    return tokens
  }

  /// Rows held out, at most `limit`, taken from the sources in turn.
  package func heldOutRows(limit: Int) throws -> [[UInt32]] {
    let held = try sources.map { ($0.rows, try $0.rows.heldOut(limit: limit)) }
    var rows: [[UInt32]] = []
    for position in 0..<(held.map(\.1.count).max() ?? 0) {
      for (source, own) in held where position < own.count && rows.count < limit {
        rows.append(try checked(own[position], of: source))
      }
    }
    return rows
  }
}
