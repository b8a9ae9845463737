import ModelGraph

extension RetrofitPlan {
  /// What this package has that the published modelling code of retrofits does not know, in words;
  /// empty when the package loads and computes the same there, or is not in its dialect.
  ///
  /// That code knows Llama's block and OLMo-2's, an adapter at every pass, and heads that together
  /// are as wide as the model.
  package var unknownToPublishedCode: [String] {
    guard options.dialect == .raven, let body = result.recurrence else { return [] }
    let style = result.style
    let isOLMo = style.norms == .after && style.queryKeyNorm == .fullWidth
    let isLlama = style.norms == .before && style.queryKeyNorm == .none
    var parts: [String] = []
    if !isOLMo && !isLlama { parts.append("this family's norms") }
    if style.queryKeyValueBias || style.outputBias || style.mlpBias { parts.append("biases") }
    if result.sizes.queryWidth != result.sizes.hidden {
      parts.append("heads that together are not as wide as the model")
    }
    if body.injection == .add { parts.append("injection by addition") }
    if body.coreNorm != nil { parts.append("a norm after the core") }
    if body.stateStart == .embedding { parts.append("a state that starts at the prelude's output") }
    return parts
  }
}
