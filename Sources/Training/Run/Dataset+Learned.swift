extension Dataset {
  /// Throws when a source has nothing to learn, or what is held out nothing to measure: a loss over
  /// no token would be reported as perfect.
  ///
  /// - Parameter heldOutRows: How many of them an evaluation reads; 0 for none.
  package func requireLearned(heldOutRows limit: Int) throws {
    for source in sources {
      let count = source.trainingRows * (sequenceLength + 1)
      guard try learns(source.stream, 0..<count) else {
        throw TrainingError(.nothingLearned(tokens: count, heldOut: false), source.stream.path)
      }
    }
    let rows = try heldOutRows(limit: limit)
    guard let first = sources.first, !rows.isEmpty else { return }
    if !rows.contains(where: { $0.dropFirst().contains { $0 & TokenMark.notLearned == 0 } }) {
      throw TrainingError(
        .nothingLearned(tokens: rows.count * (sequenceLength + 1), heldOut: true),
        first.stream.path)
    }
  }

  /// Whether a token of the range, whole rows, is one that a row learns: any but its first.
  private func learns(_ stream: any TokenStream, _ range: Range<Int>) throws -> Bool {
    let width = sequenceLength + 1
    let step = width * max(1, (1 << 16) / width)
    for start in stride(from: range.lowerBound, to: range.upperBound, by: step) {
      var tokens = [UInt32](repeating: 0, count: min(step, range.upperBound - start))
      try stream.read(at: start, into: &tokens)
      let isLearned = tokens.indices.contains { i in
        tokens[i] & TokenMark.notLearned == 0 && i % width != 0
      }
      if isLearned { return true }
    }
    return false
  }
}
