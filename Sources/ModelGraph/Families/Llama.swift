extension Family {
  /// Llama 1 to 3, TinyLlama, SmolLM and whatever else says `llama`.
  static let llama = Family(
    modelTypes: ["llama"], norms: .before, queryKeyNorm: .none, biases: .configured, window: .none,
    suffixes: .normsBefore)

  static let mistral = Family(
    modelTypes: ["mistral"], norms: .before, queryKeyNorm: .none, biases: .none, window: .always,
    suffixes: .normsBefore)
}
