extension Family {
  /// Norms after attention and MLP; query and key normalised over their whole width.
  static let olmo2 = Family(
    modelTypes: ["olmo2"], norms: .after, queryKeyNorm: .fullWidth, biases: .configured,
    window: .none,
    suffixes: [BlockRole: String].common.merging([
      .attentionNorm: "post_attention_layernorm.weight",
      .mlpNorm: "post_feedforward_layernorm.weight",
    ]) { $1 })
}
