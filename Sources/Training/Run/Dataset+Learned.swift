extension Dataset {
  /// Throws when a source has nothing to learn, or what is held out nothing to measure: a loss over
  /// no token would be reported as perfect.
  ///
  /// - Parameter heldOutRows: How many of them an evaluation reads; 0 for none.
  package func requireLearned(heldOutRows limit: Int) throws {
    for source in sources { try source.rows.requireLearned() }
    let rows = try heldOutRows(limit: limit)
    guard let first = sources.first, !rows.isEmpty else { return }
    if !rows.contains(where: \.isLearned) {
      throw TrainingError(
        .nothingLearned(tokens: rows.count * (sequenceLength + 1), heldOut: true),
        first.rows.path)
    }
  }
}
