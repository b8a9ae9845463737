import JSON

// What the three have in common: norms that are stored less one, an embedding that is scaled by √h,
// a GELU by hyperbolic tangent, heads of a width of their own.

extension Family {
  static let gemma = Family(
    modelType: "gemma", className: "GemmaForCausalLM", gguf: .gemma,
    fields: .gemma.with([
      "num_key_value_heads": .read(default: 16), "hidden_act": .read(default: "gelu_pytorch_tanh"),
      "hidden_activation": .only(["gelu_pytorch_tanh"]),
    ]),
    model: { reader throws(ModelGraphError) in try reader.gemmaModel() },
    block: { reader, _ throws(ModelGraphError) in
      var block = try reader.plainBlock()
      // Early files say gelu and mean this.
      if block.mlp.activation == .gelu { block.mlp.activation = .geluTanh }
      let norm = NormSpec(epsilon: try reader.epsilon(), offset: 1)
      block.norms = [BlockNorm(.attentionInput, norm), BlockNorm(.mlpInput, norm)]
      try reader.readBiases(&block)
      return block
    })

  /// Norms before and after, windows on every other layer, capped scores and logits.
  static let gemma2 = Family(
    modelType: "gemma2", className: "Gemma2ForCausalLM", gguf: .gemma2,
    names: .sandwich,
    fields: .gemma.with(.gemmaAttention).with([
      "attn_logit_softcapping": .read(default: 50.0),
      "final_logit_softcapping": .read(default: 30.0),
    ]),
    model: { reader throws(ModelGraphError) in try reader.gemmaModel() },
    block: { reader, layer throws(ModelGraphError) in
      let width = try reader.config.extent("sliding_window")
      let visible = try reader.visible(layer, width: width) { ($0 + 1) % 2 != 0 }
      return try reader.gemmaBlock(visible, rotary: try reader.rotary())
    }, layerLists: ["layer_types": \.layerType])

  /// Query and key normalised per head, five windowed layers to one that sees all, each kind with
  /// positions of its own.
  static let gemma3 = Family(
    modelType: "gemma3_text", className: "Gemma3ForCausalLM", gguf: .gemma3,
    names: .sandwich, hasRotaryByKind: true,
    fields: .gemma.with(.gemmaAttention).with([
      // The text part of a multimodal folder leaves out what its class says.
      "hidden_size": .read(default: 2304), "intermediate_size": .read(default: 9216),
      "num_hidden_layers": .read(default: 26), "num_attention_heads": .read(default: 8),
      "vocab_size": .read(default: 262_208), "max_position_embeddings": .read(default: 131_072),
      "rope_theta": .read(default: 1_000_000), "rope_local_base_freq": .read(default: 10_000),
      "sliding_window_pattern": .read(default: 6), "_sliding_window_pattern": .read(),
      "attn_logit_softcapping": .read(), "final_logit_softcapping": .read(),
    ]),
    model: { reader throws(ModelGraphError) in try reader.gemmaModel() },
    block: { reader, layer throws(ModelGraphError) in
      let width = try reader.config.extent("sliding_window")
      let pattern =
        try reader.config.extent("sliding_window_pattern", "_sliding_window_pattern") ?? 6
      let visible = try reader.visible(layer, width: width) { ($0 + 1) % pattern != 0 }
      let full = try reader.config.positive("rope_theta") ?? 1_000_000
      let local = try reader.config.positive("rope_local_base_freq") ?? 10_000
      var block = try reader.gemmaBlock(
        visible, rotary: try reader.rotary(of: visible, full: full, window: local))
      block.attention.queryKeyNorm = QueryKeyNorm(
        .head, NormSpec(epsilon: try reader.epsilon(), offset: 1))
      return block
    }, layerLists: ["layer_types": \.layerType])
}

extension FieldRules {
  fileprivate static let gemma: FieldRules = .decoder.with([
    "head_dim": .read(default: 256), "tie_word_embeddings": .read(default: true),
    "attention_bias": .read(default: false),
  ])

  fileprivate static let gemmaAttention: FieldRules = [
    "hidden_act": .inert, "hidden_activation": .read(default: "gelu_pytorch_tanh"),
    "num_key_value_heads": .read(default: 4), "query_pre_attn_scalar": .read(default: 256),
    "sliding_window": .read(default: 4096), "layer_types": .read(),
  ]
}

extension [BlockRole: String] {
  fileprivate static let sandwich: Self = [.mlpNorm: "pre_feedforward_layernorm.weight"]
}

extension FamilyReader {
  fileprivate mutating func gemmaModel() throws(ModelGraphError) -> ModelSpec {
    ModelSpec(
      finalNorm: NormSpec(epsilon: try epsilon(), offset: 1),
      embeddingMultiplier: Double(sizes.hidden).squareRoot(),
      logitSoftcap: try config.positive("final_logit_softcapping"))
  }

  fileprivate mutating func gemmaBlock(
    _ visible: AttentionSpec.Visible, rotary: RotaryEmbedding
  ) throws(ModelGraphError) -> BlockSpec {
    let norm = NormSpec(epsilon: try epsilon(), offset: 1)
    let scalar = try config.positive("query_pre_attn_scalar") ?? Double(sizes.headSize)
    var block = BlockSpec(
      attention: AttentionSpec(
        rotary: rotary, scale: 1 / scalar.squareRoot(), visible: visible,
        softcap: try config.positive("attn_logit_softcapping")),
      mlp: MLPSpec(activation: try activation("hidden_activation")),
      norms: BlockNorm.Place.sandwich.map { BlockNorm($0, norm) })
    try readBiases(&block)
    return block
  }
}
