import ModelGraph

extension RetrofitPlan {
  /// What this package has that the published modelling code of retrofits does not know, in words;
  /// empty when the package loads and computes the same there, or is not in its dialect.
  ///
  /// That code knows Llama's block and OLMo-2's, an adapter at every pass, and heads that together
  /// are as wide as the model.
  package var unknownToPublishedCode: [String] {
    guard options.dialect == .raven, let body = result.recurrence else { return [] }
    let specs = result.blocks.map(\.spec)
    var parts: [String] = []
    if !specs.allSatisfy({ $0.isLlamaShaped || $0.isOLMoShaped }) {
      parts.append("this family's norms")
    }
    if specs.contains(where: \.hasBiases) { parts.append("biases") }
    if specs.contains(where: { $0.arithmetic != specs.first?.arithmetic }) {
      parts.append("blocks that differ from one another")
    } else if let first = specs.first, !first.isPublishedArithmetic(result.sizes) {
      parts.append("this family's attention or MLP")
    }
    if result.spec != ModelSpec(finalNorm: NormSpec(epsilon: result.spec.finalNorm.epsilon)) {
      parts.append("factors on embedding or logits")
    }
    if result.sizes.queryWidth != result.sizes.hidden {
      parts.append("heads that together are not as wide as the model")
    }
    switch body.injection.kind {
    case .linear: break
    case .add: parts.append("injection by addition")
    case .diagonal: parts.append("decays of the state")
    case .gated: parts.append("a gate on what a pass changes")
    case .carry: parts.append("a state that is carried on")
    }
    if body.coreNorm != nil { parts.append("a norm after the core") }
    if body.stateStart == .embedding { parts.append("a state that starts at the prelude's output") }
    return parts
  }
}

extension BlockSpec {
  fileprivate var isOLMoShaped: Bool {
    norms.map(\.place) == [.attentionOutput, .mlpOutput] && attention.queryKeyNorm?.extent == .all
  }

  fileprivate var isLlamaShaped: Bool {
    norms.map(\.place) == [.attentionInput, .mlpInput] && attention.queryKeyNorm == nil
  }

  fileprivate var hasBiases: Bool {
    attention.queryKeyValueBias || attention.outputBias || mlp.bias
  }

  /// The block without what is asked for by name.
  fileprivate var arithmetic: BlockSpec {
    var spec = self
    spec.attention.queryKeyNorm = nil
    spec.attention.queryKeyValueBias = false
    spec.attention.outputBias = false
    spec.mlp.bias = false
    return spec
  }

  /// Whether the rest is what the published code computes: SiLU, every key visible, no factors, and
  /// a rotary embedding that it knows.
  fileprivate func isPublishedArithmetic(_ sizes: ModelSizes) -> Bool {
    guard let rotary = attention.rotary, rotary.dimensions == nil else { return false }
    switch rotary.scaling {
    case .none, .llama3: break
    default: return false
    }
    let plain = BlockSpec(
      attention: AttentionSpec(rotary: rotary, scale: 1 / Double(sizes.headSize).squareRoot()),
      mlp: MLPSpec(), norms: norms)
    return arithmetic == plain && norms.allSatisfy { $0.spec.offset == 0 }
  }
}
