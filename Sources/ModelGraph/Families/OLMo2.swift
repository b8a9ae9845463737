import JSON

extension Family {
  /// Norms after attention and MLP; query and key normalised over their whole width.
  static let olmo2 = Family(
    modelType: "olmo2", className: "Olmo2ForCausalLM", gguf: .of("olmo2"),
    fields: .decoder.with([
      "rms_norm_eps": .read(default: 1e-5), "attention_bias": .read(default: false),
    ]),
    block: { reader, _ throws(ModelGraphError) in
      var block = try reader.plainBlock()
      let norm = NormSpec(epsilon: try reader.epsilon())
      block.norms = [BlockNorm(.attentionOutput, norm), BlockNorm(.mlpOutput, norm)]
      block.attention.queryKeyNorm = QueryKeyNorm(.all, norm)
      try reader.readBiases(&block)
      return block
    })
}
