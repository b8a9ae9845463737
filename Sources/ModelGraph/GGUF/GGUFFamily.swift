import JSON

/// How GGUF files have a model family.
struct GGUFFamily: Sendable {
  /// Value of `general.architecture`, and the prefix of the hyper-parameters' keys.
  var architecture: String
  /// Whether the rows of queries and keys are in the order of interleaved RoPE, head by head.
  var isInterleaved = false
  /// What writers add to the weight of every norm.
  var normOffset: Float = 0
  /// A hyper-parameter whose value, if it is not zero, tells the family from others of its
  /// architecture.
  var mark: String?
  /// Whether such files are written, too; only those that need no more than `fields` of Llama.
  var isWritten = false
  /// Reads what there is beside Llama's hyper-parameters into the configuration. What nobody reads is
  /// refused.
  var fields:
    @Sendable (inout GGUFHyperparameters, inout JSONObject) throws(ModelGraphError) -> Void = {
      _, _ throws(ModelGraphError) in
    }

  /// Whether a file with these hyper-parameters may be of the family.
  func claims(_ metadata: JSONObject) -> Bool {
    guard let mark else { return true }
    let value = metadata[architecture + "." + mark]?.double ?? 0
    return value != 0
  }
}

// What llama.cpp's own converter writes for each architecture, and what its loader takes for granted
// where a file is silent: `conversion/*.py` and `src/models/*.cpp` there.

extension GGUFFamily {
  /// Llama and what llama.cpp computes like it.
  static let llama = GGUFFamily(architecture: "llama", isInterleaved: true, isWritten: true)

  /// Mistral's windows, where a writer states one.
  static let mistral = GGUFFamily(
    architecture: "llama", isInterleaved: true, mark: "attention.sliding_window", isWritten: true,
    fields: { keys, config throws(ModelGraphError) in
      config["sliding_window"] = JSONValue(try keys.window())
    })

  /// Llama's files with experts.
  static let mixtral = GGUFFamily(
    architecture: "llama", isInterleaved: true, mark: "expert_count",
    fields: { keys, config throws(ModelGraphError) in
      config["sliding_window"] = JSONValue(try keys.window())
      try keys.experts(&config, count: "num_local_experts")
    })

  /// A family with an architecture of its own, and nothing beside Llama's hyper-parameters.
  static func of(_ architecture: String) -> GGUFFamily {
    GGUFFamily(architecture: architecture, isWritten: true)
  }

  /// OLMo-2's architecture with windows; the windowed layers' frequencies are never scaled.
  static let olmo3 = GGUFFamily(
    architecture: "olmo2", mark: "attention.sliding_window",
    fields: { keys, config throws(ModelGraphError) in
      config["sliding_window"] = JSONValue(try keys.window())
      config["layer_types"] = try keys.layerTypes(pattern: 4)
      var full = config["rope_scaling"]?.object ?? ["rope_type": "default"]
      full["rope_theta"] = config["rope_theta"]
      let local = try keys.positive("rope.freq_base_swa")
      config["rope_parameters"] = [
        "full_attention": .object(full),
        "sliding_attention": [
          "rope_type": "default",
          "rope_theta": local.map { JSONValue($0) } ?? config["rope_theta"] ?? .null,
        ],
      ]
      config["rope_scaling"] = nil
      config["rope_theta"] = nil
    })

  /// Every fourth layer knows no positions: no file says so.
  static let smollm3 = GGUFFamily(architecture: "smollm3", isInterleaved: true)

  static let gemma = GGUFFamily(
    architecture: "gemma", normOffset: 1,
    fields: { _, config throws(ModelGraphError) in config["hidden_act"] = "gelu_pytorch_tanh" })

  static let gemma2 = GGUFFamily(
    architecture: "gemma2", normOffset: 1,
    fields: { keys, config throws(ModelGraphError) in
      config["sliding_window"] = JSONValue(try keys.window() ?? 4096)
      config["layer_types"] = try keys.layerTypes(pattern: 2)
      // The 27B model is known by its number of layers.
      try keys.gemma(&config, scaledByWidth: 46)
    })

  static let gemma3 = GGUFFamily(
    architecture: "gemma3", normOffset: 1,
    fields: { keys, config throws(ModelGraphError) in
      let window = try keys.window()
      config["sliding_window"] = JSONValue(window ?? 4096)
      config["layer_types"] = try keys.layerTypes(pattern: window == nil ? 1 : 6)
      config["rope_local_base_freq"] = JSONValue(
        try keys.positive("rope.freq_base_swa") ?? 10_000)
      try keys.gemma(&config, scaledByWidth: 62)
    })

  /// Granite 3, and Granite 4 without experts and state-space layers.
  static let granite = GGUFFamily(
    architecture: "granite", isInterleaved: true,
    fields: { keys, config throws(ModelGraphError) in
      try keys.graniteFactors(&config)
      // What the converter leaves of layers that such a model does not have.
      keys.pass(over: [
        "ssm.conv_kernel", "ssm.state_size", "ssm.group_count", "ssm.inner_size",
        "ssm.time_step_rank", "expert_used_count",
      ])
      if let width = try keys.extent("expert_shared_feed_forward_length") {
        config["intermediate_size"] = JSONValue(width)
      }
      guard try keys.bool("rope.scaling.finetuned") ?? true else {
        throw ModelGraphError(
          .unsupportedField("granite.rope.scaling.finetuned", value: "false"))
      }
    })

  static let phi3 = GGUFFamily(
    architecture: "phi3",
    fields: { keys, config throws(ModelGraphError) in
      config["sliding_window"] = JSONValue(try keys.window())
      try keys.longRoPE(&config)
    })

  /// The chosen weights always sum to one.
  static let qwen3MoE = GGUFFamily(
    architecture: "qwen3moe",
    fields: { keys, config throws(ModelGraphError) in
      try keys.experts(&config, count: "num_experts", width: "moe_intermediate_size")
      config["norm_topk_prob"] = true
    })

  static let olmoe = GGUFFamily(
    architecture: "olmoe",
    fields: { keys, config throws(ModelGraphError) in
      try keys.experts(&config, count: "num_experts")
      config["norm_topk_prob"] = false
    })
}
