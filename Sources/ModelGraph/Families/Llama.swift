import JSON

extension Family {
  /// Llama 1 to 3, TinyLlama, SmolLM and whatever else says `llama`.
  static let llama = Family(
    modelType: "llama", className: "LlamaForCausalLM", gguf: .llama,
    fields: .decoder.with([
      "attention_bias": .read(default: false), "mlp_bias": .read(default: false),
    ]),
    block: { reader, _ throws(ModelGraphError) in
      var block = try reader.plainBlock()
      try reader.readBiases(&block)
      return block
    })
}
