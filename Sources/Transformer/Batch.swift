import ModelGraph

/// Sequences of equal length that run together.
package struct Batch: Equatable, Sendable {
  /// Sequence by sequence, `[B * S]`.
  package let tokens: [Int32]
  /// B.
  package let sequences: Int
  /// S.
  package let length: Int
  /// Index in its sequence of the first token that each token sees, `[B * S]`; nil means 0. Packed
  /// documents begin at their own first token, sequences padded on the left at the first that
  /// counts; padding on the right needs nothing.
  package let firstVisible: [Int32]?
  /// Number of the first sequence: the random initial states of training depend on it, and on nothing
  /// else that the grouping into batches changes.
  package let firstSequence: Int

  package init(
    tokens: [Int32], sequences: Int, firstVisible: [Int32]? = nil, firstSequence: Int = 0
  ) throws(TransformerError) {
    guard sequences > 0, !tokens.isEmpty else { throw TransformerError(.emptySequence) }
    length = tokens.count / sequences
    guard tokens.count == sequences * length, firstVisible.map({ $0.count == tokens.count }) ?? true
    else {
      throw TransformerError(
        .raggedBatch(count: tokens.count, sequences: sequences, length: tokens.count / sequences))
    }
    self.tokens = tokens
    self.sequences = sequences
    self.firstVisible = firstVisible
    self.firstSequence = firstSequence
  }

  /// Some sequences of a batch.
  struct Part {
    let sequences: Range<Int>
    /// Their places in the batch's tokens.
    let tokens: Range<Int>
  }

  func part(_ sequences: Range<Int>) -> Part {
    Part(
      sequences: sequences, tokens: sequences.lowerBound * length..<sequences.upperBound * length)
  }

  func slice(_ part: Part) throws(TransformerError) -> Batch {
    try Batch(
      tokens: Array(tokens[part.tokens]), sequences: part.sequences.count,
      firstVisible: firstVisible.map { Array($0[part.tokens]) },
      firstSequence: firstSequence + part.sequences.lowerBound)
  }

  /// Checks tokens and length against a model.
  func check(_ network: Network) throws(TransformerError) {
    guard length <= network.contextLimit else {
      throw TransformerError(.contextTooLong(length: length, limit: network.contextLimit))
    }
    try checkTokens(tokens, network)
  }
}

func checkTokens(_ tokens: [Int32], _ network: Network) throws(TransformerError) {
  let vocabulary = network.sizes.vocabulary
  if let index = tokens.firstIndex(where: { $0 < 0 || $0 >= vocabulary }) {
    throw TransformerError(
      .tokenOutOfRange(token: tokens[index], index: index, vocabulary: vocabulary))
  }
}

func checkLabels(_ labels: [Int32], _ network: Network) throws(TransformerError) {
  let vocabulary = network.sizes.vocabulary
  if let index = labels.firstIndex(where: { $0 >= vocabulary || ($0 < 0 && $0 != -100) }) {
    throw TransformerError(
      .labelOutOfRange(label: labels[index], index: index, vocabulary: vocabulary))
  }
}
