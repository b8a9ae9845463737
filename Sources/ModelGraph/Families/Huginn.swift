import JSON

extension Family {
  /// Huginn-0125, whose files the published retrofits take their names from: norms before each half and
  /// on the stream after it, one bias for queries and keys, pairs of the rotary embedding side by side,
  /// an embedding and a first state that are scaled, and the final norm before the coda, too.
  static let huginn = Family(
    modelType: "huginn_raven", className: "RavenForCausalLM", gguf: nil,
    fields: .decoder,
    publishedFields: [
      "qk_bias": .only([true]), "rope_base": .read(), "block_size": .read(),
      "num_attention_heads": .read(), "num_key_value_heads": .read(),
    ], contextField: "block_size", normsLatent: true,
    model: { reader throws(ModelGraphError) in
      var values = ConfigReader(
        try reader.config.object("init_values") ?? [:], scope: "init_values.")
      return ModelSpec(
        finalNorm: NormSpec(epsilon: try reader.epsilon()),
        embeddingMultiplier: try values.positive("embed_scale") ?? 1)
    },
    block: { reader, _ throws(ModelGraphError) in
      guard let theta = try reader.config.positive("rope_base") else {
        throw reader.config.missing("rope_base")
      }
      guard reader.sizes.keyValueHeads == reader.sizes.heads else {
        throw ModelGraphError(
          .unsupportedField("num_key_value_heads", value: String(reader.sizes.keyValueHeads)))
      }
      var rotary = RotaryEmbedding(theta: theta)
      rotary.isInterleaved = true
      var block = try reader.plainBlock(rotary: rotary)
      block.attention.queryKeyBias = true
      let norm = NormSpec(epsilon: try reader.epsilon())
      let places: [BlockNorm.Place] = [.attentionInput, .attentionSum, .mlpInput, .mlpSum]
      block.norms = places.map { BlockNorm($0, norm) }
      return block
    })
}
