import JSON

extension Family {
  /// Llama's block with factors on embedding, scores, both halves and logits.
  static let granite = Family(
    modelType: "granite", className: "GraniteForCausalLM", gguf: .granite,
    fields: .decoder.with(.graniteFactors).with([
      "attention_bias": .read(default: false), "mlp_bias": .read(default: false),
    ]),
    model: { reader throws(ModelGraphError) in try reader.graniteModel() },
    block: { reader, _ throws(ModelGraphError) in
      var block = try reader.graniteBlock(hasPositions: true)
      try reader.readBiases(&block)
      return block
    })

  /// Granite 4 where it has neither experts nor state-space layers: gate and up lie in one tensor,
  /// and positions are known only where the configuration says `rope`.
  static let graniteHybrid = Family(
    modelType: "granitemoehybrid", className: "GraniteMoeHybridForCausalLM", gguf: .graniteHybrid,
    names: [
      .gateUp: "shared_mlp.input_linear.weight", .down: "shared_mlp.output_linear.weight",
    ], fused: [.gateUp, .gateUpBias], intermediateField: "shared_intermediate_size",
    fields: .decoder.with(.graniteFactors).with([
      "attention_bias": .read(default: false), "intermediate_size": .inert,
      "shared_intermediate_size": .required, "layer_types": .required,
      "position_embedding_type": .read(), "num_local_experts": .only([0]),
      "num_experts_per_tok": .inert, "output_router_logits": .inert,
      "router_aux_loss_coef": .inert, "mamba_n_groups": .inert,
      "mamba_d_state": .inert, "mamba_d_conv": .inert, "mamba_chunk_size": .inert,
      // No layer has them, but the class refuses those that do not fit the model's width.
      "mamba_n_heads": .inert, "mamba_d_head": .inert, "mamba_expand": .inert,
      "mamba_conv_bias": .inert, "mamba_proj_bias": .inert, "time_step_limit": .inert,
      "init_method": .inert,
      "normalization_function": .only(["rmsnorm"]),
    ]),
    model: { reader throws(ModelGraphError) in try reader.graniteModel() },
    block: { reader, layer throws(ModelGraphError) in
      let kind = try reader.layerTypes()?[layer] ?? "linear_attention"
      guard kind == "attention" || kind == "full_attention" else {
        throw ModelGraphError(.unsupportedField("layer_types", value: "\"\(kind)\""))
      }
      // The class's default is eight experts.
      guard try reader.config.value("num_local_experts")?.value.integer == 0 else {
        throw ModelGraphError(.missingField("num_local_experts"))
      }
      let positions = try reader.config.string("position_embedding_type")
      var block = try reader.graniteBlock(hasPositions: positions == "rope")
      try reader.readBiases(&block)
      return block
    }, layerLists: ["layer_types": { _ in "attention" }])
}

extension FieldRules {
  fileprivate static let graniteFactors: FieldRules = [
    "embedding_multiplier": .read(default: 1.0), "attention_multiplier": .read(default: 1.0),
    "residual_multiplier": .read(default: 1.0), "logits_scaling": .read(default: 1.0),
  ]
}

extension FamilyReader {
  fileprivate mutating func graniteModel() throws(ModelGraphError) -> ModelSpec {
    ModelSpec(
      finalNorm: NormSpec(epsilon: try epsilon()),
      embeddingMultiplier: try config.positive("embedding_multiplier") ?? 1,
      logitsDivisor: try config.positive("logits_scaling") ?? 1)
  }

  fileprivate mutating func graniteBlock(
    hasPositions: Bool
  ) throws(ModelGraphError) -> BlockSpec {
    var block = try plainBlock(rotary: hasPositions ? try rotary() : nil)
    block.attention.scale = try config.positive("attention_multiplier") ?? 1
    block.residualMultiplier = try config.positive("residual_multiplier") ?? 1
    return block
  }
}
