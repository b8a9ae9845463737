import JSON

extension Family {
  /// Llama's block; every fourth layer knows no positions.
  static let smollm3 = Family(
    modelType: "smollm3", className: "SmolLM3ForCausalLM", gguf: .smollm3,
    fields: .decoder.with([
      // Versions of transformers disagree on a base that is not stated.
      "rope_theta": .read(), "num_key_value_heads": .read(default: 4),
      "attention_bias": .read(default: false),
      "mlp_bias": .read(default: false), "tie_word_embeddings": .read(default: true),
      "use_sliding_window": .read(default: false), "sliding_window": .read(),
      "layer_types": .read(), "no_rope_layers": .read(),
      "no_rope_layer_interval": .read(default: 4),
    ]),
    block: { reader, layer throws(ModelGraphError) in
      let hasPositions = try reader.hasPositions(layer)
      var block = try reader.plainBlock(rotary: hasPositions ? try reader.rotary() : nil)
      let isOn = try reader.config.bool("use_sliding_window") ?? false
      let width = isOn ? try reader.config.extent("sliding_window") : nil
      block.attention.visible = try reader.visible(layer, width: width) { _ in !hasPositions }
      try reader.readBiases(&block)
      return block
    },
    layerLists: [
      "layer_types": \.layerType,
      "no_rope_layers": { JSONValue($0.attention.rotary == nil ? 0 : 1) },
    ])
}

extension FamilyReader {
  /// `no_rope_layers` has 1 for a layer that *does* know positions; without the list every
  /// `no_rope_layer_interval`-th does not.
  fileprivate mutating func hasPositions(_ layer: Int) throws(ModelGraphError) -> Bool {
    if let flags = try config.numbers("no_rope_layers") {
      guard flags.count >= layers, flags.allSatisfy({ $0 == 0 || $0 == 1 }) else {
        throw ModelGraphError(
          .invalidValue(
            field: "no_rope_layers", value: "a list of \(flags.count)",
            rule: "a list of \(layers) zeros and ones"))
      }
      return flags[layer] == 1
    }
    let interval = try config.extent("no_rope_layer_interval") ?? 4
    return (layer + 1) % interval != 0
  }
}
