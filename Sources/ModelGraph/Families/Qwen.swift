import JSON

extension Family {
  /// Qwen2 and 2.5: biases on query, key and value alone.
  static let qwen2 = Family(
    modelType: "qwen2", className: "Qwen2ForCausalLM", gguf: .of("qwen2"),
    fields: .decoder.with(.qwenWindow).with([
      "num_key_value_heads": .read(default: 32), "attention_bias": .inert,
    ]),
    block: { reader, layer throws(ModelGraphError) in
      var block = try reader.plainBlock()
      block.attention.queryKeyValueBias = true
      block.attention.visible = try reader.qwenWindow(layer)
      return block
    }, layerLists: ["layer_types": \.layerType])

  /// Query and key normalised per head; the head's width is a field of its own.
  static let qwen3 = Family(
    modelType: "qwen3", className: "Qwen3ForCausalLM", gguf: .of("qwen3"),
    fields: .decoder.with(.qwenWindow).with([
      "num_key_value_heads": .read(default: 32), "head_dim": .read(default: 128),
      "attention_bias": .read(default: false),
    ]),
    block: { reader, layer throws(ModelGraphError) in
      var block = try reader.plainBlock()
      block.attention.queryKeyNorm = QueryKeyNorm(.head, NormSpec(epsilon: try reader.epsilon()))
      try reader.readBiases(&block)
      block.attention.visible = try reader.qwenWindow(layer)
      return block
    }, layerLists: ["layer_types": \.layerType])
}

extension FieldRules {
  fileprivate static let qwenWindow: FieldRules = [
    "use_sliding_window": .read(default: false), "sliding_window": .read(default: 4096),
    "max_window_layers": .read(default: 28), "layer_types": .read(),
  ]
}

extension FamilyReader {
  /// A window where `use_sliding_window` says so: on the layers that `layer_types` names, or from
  /// `max_window_layers` on.
  fileprivate mutating func qwenWindow(
    _ layer: Int
  ) throws(ModelGraphError) -> AttentionSpec.Visible {
    let isOn = try config.bool("use_sliding_window") ?? false
    let width = isOn ? try config.extent("sliding_window") : nil
    let first = try config.value("max_window_layers")?.value.integer ?? 0
    return try visible(layer, width: width) { width != nil && $0 >= first }
  }
}
