import JSON

// Families whose tokens choose a few of several MLPs.

extension Family {
  /// Qwen3's attention; layers with one MLP may stand between those with experts.
  static let qwen3MoE = Family(
    modelType: "qwen3_moe", className: "Qwen3MoeForCausalLM", gguf: .qwen3MoE,
    fields: .decoder.with(.experts).with([
      "num_key_value_heads": .read(default: 4), "attention_bias": .read(default: false),
      "num_experts": .read(default: 128), "num_local_experts": .read(),
      "num_experts_per_tok": .read(default: 8), "moe_intermediate_size": .read(default: 768),
      "mlp_only_layers": .read(), "decoder_sparse_step": .read(default: 1),
      "use_sliding_window": .read(default: false), "sliding_window": .read(default: 4096),
      "max_window_layers": .inert,
    ]),
    block: { reader, layer throws(ModelGraphError) in
      var block = try reader.plainBlock()
      block.attention.queryKeyNorm = QueryKeyNorm(.head, NormSpec(epsilon: try reader.epsilon()))
      try reader.readBiases(&block)
      // Unlike Qwen3's, all layers have the window.
      if try reader.config.bool("use_sliding_window") ?? false,
        let width = try reader.config.extent("sliding_window")
      {
        block.attention.visible = .window(width)
      }
      let step = try reader.config.extent("decoder_sparse_step") ?? 1
      let hasOne = try reader.layerNumbers("mlp_only_layers").contains(layer)
      if !hasOne, (layer + 1) % step == 0 {
        guard let width = try reader.config.extent("moe_intermediate_size") else {
          throw reader.config.missing("moe_intermediate_size")
        }
        block.mlp.experts = try reader.experts(width: width)
      }
      return block
    },
    layerFields: { blocks in
      [
        "decoder_sparse_step": 1,
        "mlp_only_layers": .array(
          blocks.indices.filter { blocks[$0].mlp.experts == nil }.map { JSONValue($0) }),
      ]
    })

  /// Query and key normalised over their whole width.
  static let olmoe = Family(
    modelType: "olmoe", className: "OlmoeForCausalLM", gguf: .olmoe,
    fields: .decoder.with(.experts).with([
      "rms_norm_eps": .read(default: 1e-5), "attention_bias": .read(default: false),
      "num_experts": .read(default: 64), "num_local_experts": .read(),
      "num_experts_per_tok": .read(default: 8), "router_aux_loss_coef": .read(default: 0.01),
      "clip_qkv": .only([]),
    ]),
    block: { reader, _ throws(ModelGraphError) in
      var block = try reader.plainBlock()
      block.attention.queryKeyNorm = QueryKeyNorm(.all, NormSpec(epsilon: try reader.epsilon()))
      try reader.readBiases(&block)
      block.mlp.experts = try reader.experts(width: reader.sizes.intermediate)
      return block
    })

  /// Mistral's attention; the chosen weights always sum to one.
  static let mixtral = Family(
    modelType: "mixtral", className: "MixtralForCausalLM", gguf: .mixtral,
    names: [
      .router: "block_sparse_moe.gate.weight",
      .expertGate: "block_sparse_moe.experts.*.w1.weight",
      .expertUp: "block_sparse_moe.experts.*.w3.weight",
      .expertDown: "block_sparse_moe.experts.*.w2.weight",
    ],
    expertsField: "num_local_experts",
    fields: .decoder.with(.experts).with([
      "num_key_value_heads": .read(default: 8), "rms_norm_eps": .read(default: 1e-5),
      "rope_theta": .read(default: 1_000_000), "sliding_window": .read(),
      "num_local_experts": .read(default: 8), "num_experts": .read(),
      "num_experts_per_tok": .read(default: 2), "norm_topk_prob": .only([true]),
      // Noise on the input of the experts, in training alone.
      "router_jitter_noise": .only([0.0]),
    ]),
    block: { reader, _ throws(ModelGraphError) in
      var block = try reader.plainBlock()
      if let width = try reader.config.extent("sliding_window") {
        block.attention.visible = .window(width)
      }
      block.mlp.experts = try reader.experts(width: reader.sizes.intermediate)
      block.mlp.experts?.isNormalised = true
      return block
    })
}

extension FieldRules {
  /// Whether training adds the balancing loss in transformers; here it does by its coefficient.
  fileprivate static let experts: FieldRules = [
    "norm_topk_prob": .read(default: false), "router_aux_loss_coef": .read(default: 0.001),
    "output_router_logits": .inert,
  ]
}

extension FamilyReader {
  /// Experts of `width`, as every configuration of transformers tells of them.
  fileprivate mutating func experts(width: Int) throws(ModelGraphError) -> ExpertSpec {
    guard let count = try expertCount() else { throw config.missing("num_experts") }
    guard let chosen = try config.extent("num_experts_per_tok") else {
      throw config.missing("num_experts_per_tok")
    }
    guard chosen <= count else {
      throw ModelGraphError(
        .invalidValue(
          field: "num_experts_per_tok", value: String(chosen),
          rule: "at most the number of experts, \(count)"))
    }
    let balance = try config.number("router_aux_loss_coef") ?? 0
    guard balance >= 0 else {
      throw ModelGraphError(
        .invalidValue(
          field: "router_aux_loss_coef", value: "\(balance)", rule: "zero or positive"))
    }
    return ExpertSpec(
      count: count, chosen: chosen, width: width,
      isNormalised: try config.bool("norm_topk_prob") ?? false, balance: balance)
  }

  /// Under either name; the one that the family's own class has tells the default.
  private mutating func expertCount() throws(ModelGraphError) -> Int? {
    if let stated = try config.extent("num_experts", "num_local_experts") { return stated }
    return try config.extent("num_local_experts", "num_experts")
  }

  /// A list of numbers of layers, such as `mlp_only_layers`.
  fileprivate mutating func layerNumbers(_ key: String) throws(ModelGraphError) -> Set<Int> {
    guard let field = try config.value(key) else { return [] }
    let numbers = field.value.array?.compactMap(\.integer)
    guard let numbers, numbers.count == field.value.array?.count else {
      throw ModelGraphError(.wrongType(field: field.key, wanted: "a list of whole numbers"))
    }
    guard numbers.allSatisfy({ (0..<layers).contains($0) }) else {
      throw config.invalid(field, "a list of numbers of layers, 0 to \(layers - 1)")
    }
    return Set(numbers)
  }
}
