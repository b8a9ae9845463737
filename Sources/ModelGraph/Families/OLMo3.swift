import JSON

extension Family {
  /// OLMo-2's block; three layers of four see a window alone, and scaled positions are for the rest.
  static let olmo3 = Family(
    modelType: "olmo3", className: "Olmo3ForCausalLM", gguf: .olmo3,
    hasRotaryByKind: true,
    fields: .decoder.with([
      "rms_norm_eps": .read(default: 1e-5), "attention_bias": .read(default: false),
      "sliding_window": .read(default: 4096), "layer_types": .read(),
      "rope_theta": .read(default: 500_000),
    ]),
    block: { reader, layer throws(ModelGraphError) in
      let width = try reader.config.extent("sliding_window")
      let visible = try reader.visible(layer, width: width) { ($0 + 1) % 4 != 0 }
      // Versions of transformers disagree on the windowed layers' base in the older form.
      let base = try reader.config.positive("rope_theta") ?? 500_000
      if try reader.config.object("rope_parameters") == nil, base != 500_000 {
        throw ModelGraphError(.unsupportedField("rope_theta", value: "\(base)"))
      }
      var block = try reader.plainBlock(
        rotary: try reader.rotary(of: visible, full: base, window: 500_000))
      let norm = NormSpec(epsilon: try reader.epsilon())
      block.norms = [BlockNorm(.attentionOutput, norm), BlockNorm(.mlpOutput, norm)]
      block.attention.queryKeyNorm = QueryKeyNorm(.all, norm)
      block.attention.visible = visible
      try reader.readBiases(&block)
      return block
    }, layerLists: ["layer_types": \.layerType])
}
