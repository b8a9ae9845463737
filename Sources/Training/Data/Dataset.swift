import Tensors

/// Rows of tokens from one or more sources: the order in which a run reads them.
///
/// Each source is cut into rows of S + 1 tokens that ignore document borders ("wrapped packing").
/// The last rows are held out; the others are read in random order, anew in each epoch. Everything
/// follows from seed and cursor.
package struct Dataset: Sendable {
  package struct Source: Sendable {
    package var stream: any TokenStream
    package var weight: Double
    /// Rows to train on; the held-out rows follow them.
    package var trainingRows: Int
    package var heldOutRows: Int
  }

  package let sources: [Source]
  /// S: tokens of a sequence.
  package let sequenceLength: Int
  private let seed: UInt64
  private let epochLimit: Int
  private let vocabulary: Int

  private static let choiceStream: UInt64 = 0x736F_7572_6365_0000  // "source"
  private static let orderStream: UInt64 = 0x6F72_6465_7200_0000  // "order"

  /// - Parameters:
  ///   - heldOut: Share of each source's rows that is held out; at least one row.
  ///   - epochLimit: How often all rows may be read; 0 is any number.
  ///   - vocabulary: Rows of the model's embedding.
  package init(
    _ streams: [(stream: any TokenStream, weight: Double)], sequenceLength: Int, heldOut: Double,
    seed: UInt64, epochLimit: Int = 0, vocabulary: Int
  ) throws(DataError) {
    self.sequenceLength = sequenceLength
    self.seed = seed
    self.epochLimit = epochLimit
    self.vocabulary = vocabulary
    var sources: [Source] = []
    for (stream, weight) in streams {
      let rows = stream.count / (sequenceLength + 1)
      guard rows >= 2 else {
        throw DataError(
          .tooFewTokens(found: stream.count, needed: 2 * (sequenceLength + 1)), stream.path)
      }
      let held = min(max(1, Int((heldOut * Double(rows)).rounded())), rows - 1)
      sources.append(
        Source(
          stream: stream, weight: weight, trainingRows: rows - held, heldOutRows: held))
    }
    self.sources = sources
  }

  package var startCursor: DataCursor { DataCursor(perSource: sources.map { _ in 0 }) }

  /// The next row to train on, S + 1 tokens; bit 31 marks those that are no targets.
  package func next(_ cursor: inout DataCursor) throws -> [UInt32] {
    let index = choose(at: cursor.rowCount)
    let source = sources[index]
    let (epoch, position) = cursor.perSource[index].quotientAndRemainder(
      dividingBy: source.trainingRows)
    if epochLimit > 0, epoch >= epochLimit {
      throw DataError(.exhausted(epochs: epochLimit), source.stream.path)
    }
    let order = Permutation(
      count: source.trainingRows, seed: seed,
      stream: Self.orderStream &+ UInt64(index) << 32 &+ UInt64(epoch))
    let row = try row(order[position], of: source)
    cursor.perSource[index] += 1
    return row
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

  private func row(_ index: Int, of source: Source) throws -> [UInt32] {
    var tokens = [UInt32](repeating: 0, count: sequenceLength + 1)
    let start = index * tokens.count
    try source.stream.read(at: start, into: &tokens)
    if let bad = tokens.firstIndex(where: { $0 & TokenMark.id >= vocabulary }) {
      throw DataError(
        .tokenOutOfRange(id: Int(tokens[bad] & TokenMark.id), vocabulary: vocabulary),
        source.stream.path)
    }
    return tokens
  }

  /// Rows held out, at most `limit`, taken from the sources in turn.
  package func heldOutRows(limit: Int) throws -> [[UInt32]] {
    var rows: [[UInt32]] = []
    for position in 0..<(sources.map(\.heldOutRows).max() ?? 0) {
      for source in sources where position < source.heldOutRows && rows.count < limit {
        rows.append(try row(source.trainingRows + position, of: source))
      }
    }
    return rows
  }
}

/// How far a run has read.
package struct DataCursor: Equatable, Sendable {
  /// Rows read from each source.
  package var perSource: [Int]

  package init(perSource: [Int]) { self.perSource = perSource }

  /// Rows read in all.
  package var rowCount: Int { perSource.reduce(0, +) }
}

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
}
