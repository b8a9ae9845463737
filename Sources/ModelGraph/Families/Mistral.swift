import JSON

extension Family {
  /// One window for all layers, or none.
  static let mistral = Family(
    modelType: "mistral", className: "MistralForCausalLM", gguf: .mistral,
    fields: .decoder.with([
      "num_key_value_heads": .read(default: 8), "sliding_window": .read(default: 4096),
    ]),
    block: { reader, _ throws(ModelGraphError) in
      var block = try reader.plainBlock()
      if let width = try reader.config.extent("sliding_window") {
        // Mistral's class does not look at them, that of Ministral does.
        if reader.config.states("layer_types") {
          throw ModelGraphError(.conflictingFields("layer_types", "sliding_window"))
        }
        block.attention.visible = .window(width)
      }
      return block
    })

  /// Windows on the layers that `layer_types` names, or on all.
  static let ministral = Family(
    modelType: "ministral", className: "MinistralForCausalLM", gguf: nil,
    fields: .decoder.with([
      "num_key_value_heads": .read(default: 8), "sliding_window": .read(default: 4096),
      "layer_types": .read(),
    ]),
    block: { reader, layer throws(ModelGraphError) in
      var block = try reader.plainBlock()
      let width = try reader.config.extent("sliding_window")
      block.attention.visible = try reader.visible(layer, width: width) { _ in true }
      return block
    }, layerLists: ["layer_types": \.layerType])
}
