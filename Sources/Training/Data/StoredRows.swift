import Tensors

/// Rows of a source whose tokens can be read anywhere.
///
/// The tokens are cut into rows of S + 1 that ignore document borders ("wrapped packing"). The last
/// rows are held out; the others are read in random order, anew in each epoch.
package struct StoredRows: SourceRows {
  package let stream: any TokenStream
  private let width: Int
  private let trainingRows: Int
  private let heldOutRows: Int
  private let seed: UInt64
  /// Tells the sources of a run apart.
  private let number: Int
  private let epochLimit: Int

  private static let orderStream: UInt64 = 0x6F72_6465_7200_0000  // "order"

  /// - Parameters:
  ///   - number: The source's place among those of the run.
  ///   - heldOut: Share of the rows that is held out; at least one row.
  ///   - epochLimit: How often all rows may be read; 0 is any number.
  package init(
    _ stream: any TokenStream, number: Int, sequenceLength: Int, heldOut: Double, seed: UInt64,
    epochLimit: Int = 0
  ) throws(DataError) {
    width = sequenceLength + 1
    let rows = stream.count / width
    guard rows >= 2 else {
      throw DataError(.tooFewTokens(found: stream.count, needed: 2 * width), stream.path)
    }
    heldOutRows = min(max(1, Int((heldOut * Double(rows)).rounded())), rows - 1)
    trainingRows = rows - heldOutRows
    self.stream = stream
    self.number = number
    self.seed = seed
    self.epochLimit = epochLimit
  }

  package var path: String { stream.path }
  package var start: StreamPlace? { nil }

  package func next(after count: Int, _ place: inout StreamPlace?) throws -> [UInt32] {
    let (epoch, position) = count.quotientAndRemainder(dividingBy: trainingRows)
    if epochLimit > 0, epoch >= epochLimit {
      throw DataError(.exhausted(epochs: epochLimit), path)
    }
    let order = Permutation(
      count: trainingRows, seed: seed,
      stream: Self.orderStream &+ UInt64(number) << 32 &+ UInt64(epoch))
    return try row(order[position])
  }

  private func row(_ index: Int) throws -> [UInt32] {
    var tokens = [UInt32](repeating: 0, count: width)
    try stream.read(at: index * width, into: &tokens)
    return tokens
  }

  package func heldOut(limit: Int) throws -> [[UInt32]] {
    try (0..<min(limit, heldOutRows)).map { try row(trainingRows + $0) }
  }

  package func requireLearned() throws {
    let count = trainingRows * width
    let step = width * max(1, (1 << 16) / width)
    for start in stride(from: 0, to: count, by: step) {
      var tokens = [UInt32](repeating: 0, count: min(step, count - start))
      try stream.read(at: start, into: &tokens)
      let isLearned = tokens.indices.contains { i in
        tokens[i] & TokenMark.notLearned == 0 && i % width != 0
      }
      if isLearned { return }
    }
    throw TrainingError(.nothingLearned(tokens: count, heldOut: false), path)
  }
}
