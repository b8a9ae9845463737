extension Family {
  /// Qwen2 and 2.5: biases on query, key and value alone.
  static let qwen2 = Family(
    modelTypes: ["qwen2"], norms: .before, queryKeyNorm: .none, biases: .queryKeyValue,
    window: .switched, suffixes: .normsBefore)

  /// Query and key normalised per head; the head's width is a field of its own.
  static let qwen3 = Family(
    modelTypes: ["qwen3"], norms: .before, queryKeyNorm: .perHead, biases: .configured,
    window: .switched, suffixes: .normsBefore)
}
