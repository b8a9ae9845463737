import JSON

extension Family {
  /// Phi-3, 3.5, 4 and 4-mini: fused projections, a window where one is stated, a part of each head
  /// turned, and LongRoPE.
  static let phi3 = Family(
    modelType: "phi3", className: "Phi3ForCausalLM", gguf: .phi3,
    fused: [.queryKeyValue, .queryKeyValueBias, .gateUp, .gateUpBias], turnsPartOfHeads: true,
    fields: .decoder.with([
      "rms_norm_eps": .read(default: 1e-5), "sliding_window": .read(),
      "original_max_position_embeddings": .read(default: 4096),
      "lm_head_bias": .only([false]), "full_attn_mod": .only([1]),
      "interpolate_factor": .only([1]),
    ]),
    block: { reader, _ throws(ModelGraphError) in
      var block = try reader.plainBlock()
      if case .yarn? = block.attention.rotary?.scaling {
        // Its class takes the name for LongRoPE's.
        throw ModelGraphError(.unsupportedField("rope_scaling.rope_type", value: "yarn"))
      }
      if let width = try reader.config.extent("sliding_window") {
        block.attention.visible = .window(width)
      }
      return block
    })
}
