import JSON

extension Family {
  /// Ouro: the whole stack is the core, the first pass reads the embedding, the others the final norm
  /// of what the one before gave. Norms before and after attention and MLP.
  ///
  /// Its gate tells at which pass a token may leave; at a threshold of 1 none does, and the gate has
  /// no part in the logits. Its code is not transformers' own, so nothing is taken for granted that
  /// a published file states.
  static let ouro = Family(
    modelType: "ouro", className: "OuroForCausalLM", gguf: nil,
    names: [
      .attentionOutputNorm: "input_layernorm_2.weight",
      .mlpOutputNorm: "post_attention_layernorm_2.weight",
    ],
    fields: .decoder.with([
      "rms_norm_eps": .required, "rope_theta": .read(), "num_key_value_heads": .required,
      "use_sliding_window": .only([false]), "sliding_window": .only([]),
      "max_window_layers": .inert,
      "total_ut_steps": .required, "early_exit_threshold": .only([1]),
      "early_exit_step": .only([]), "chunk_size": .inert,
    ]),
    block: { reader, _ throws(ModelGraphError) in
      var block = try reader.plainBlock()
      let norm = NormSpec(epsilon: try reader.epsilon())
      block.norms = BlockNorm.Place.sandwich.map { BlockNorm($0, norm) }
      return block
    },
    recurrence: { reader throws(ModelGraphError) in
      guard let steps = try reader.config.extent("total_ut_steps") else {
        throw reader.config.missing("total_ut_steps")
      }
      return RecurrenceSettings(
        sources: [[], Array(0..<reader.layers), []], injection: .carry, hasCoreNorm: false,
        stateStart: .embedding, meanRecurrence: steps, meanBackpropDepth: steps,
        exitGate: ["model.early_exit_gate.weight", "model.early_exit_gate.bias"])
    })
}
