import ByteIO
package import Transformer

/// Sums the loss of windows of tokens.
package struct LossScoring {
  package let model: Model
  package let windows: TokenWindows
  /// Windows that run together.
  package let batchSize: Int

  package init(_ model: Model, _ windows: TokenWindows, batchSize: Int) {
    self.model = model
    self.windows = windows
    self.batchSize = batchSize
  }

  /// The loss of all windows.
  ///
  /// - Parameters:
  ///   - depth: Recurrences; nil for a source model.
  ///   - seed: Of the start states.
  ///   - progress: Called with the number of windows of each batch that has run.
  package func loss(
    depth: Int?, seed: UInt64, _ progress: (Int) -> Void
  ) throws -> LossSum {
    var sum = LossSum()
    for start in stride(from: 0, to: windows.windows.count, by: batchSize) {
      try Interruption.check()
      let part = windows.windows[start..<min(start + batchSize, windows.windows.count)]
      let isPacked = part.contains { $0.firstVisible != nil }
      let batch = try Batch(
        tokens: part.flatMap(\.tokens), sequences: part.count,
        firstVisible: isPacked
          ? part.flatMap { $0.firstVisible ?? [Int32](repeating: 0, count: windows.length) } : nil)
      let options = ForwardOptions(recurrence: depth, state: .seeded(seed))
      sum += try model.loss(batch, labels: part.flatMap(\.labels), options)
      progress(part.count)
    }
    return sum
  }
  /// The loss of all windows as decoding meets them: token by token over the decoder's cache, each
  /// document from its own start.
  ///
  /// - Parameters:
  ///   - decoder: Of the same model, with a place for each of some windows, which run together.
  ///   - seed: Of the start states.
  ///   - progress: Called with the number of windows of each batch that has run.
  package func loss(
    over decoder: Decoder, seed: UInt64, _ progress: (Int) -> Void
  ) throws -> LossSum {
    var sum = LossSum()
    for start in stride(from: 0, to: windows.windows.count, by: decoder.sequences) {
      let end = min(start + decoder.sequences, windows.windows.count)
      let part = Array(windows.windows[start..<end])
      for position in 0..<windows.length {
        var next: [Decoder.Next] = []
        for (sequence, window) in part.enumerated() {
          let first = window.firstVisible?[position] ?? 0
          if position == Int(first) { decoder.restart(sequence, seed: seed) }
          next.append(Decoder.Next(sequence: sequence, token: window.tokens[position]))
        }
        let labels = part.map { $0.labels[position] }
        for score in try decoder.scores(next, labels: labels) {
          if let score { sum += LossSum(nats: score.nats, count: 1) }
        }
      }
      progress(part.count)
    }
    return sum
  }
}
