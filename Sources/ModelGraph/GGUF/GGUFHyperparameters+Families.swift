import JSON

// What some families have beside Llama's hyper-parameters.

extension GGUFHyperparameters {
  /// The window of attention; nil where there is none, which some writers call zero.
  mutating func window() throws(ModelGraphError) -> Int? {
    let key = "attention.sliding_window"
    if try number(key) == 0 { return nil }
    return try extent(key)
  }

  /// `layer_types`: as an array of the file says, or every `pattern`-th layer sees everything.
  mutating func layerTypes(pattern: Int) throws(ModelGraphError) -> JSONValue {
    let key = "attention.sliding_window_pattern"
    let layers = try needed("block_count")
    var isWindowed = [Bool](repeating: false, count: try checked(layers: layers))
    if let flags = try value(key)?.value.array {
      let stated = flags.compactMap(\.bool)
      guard stated.count == flags.count, flags.count == layers else {
        throw ModelGraphError(
          .invalidValue(
            field: prefix + key, value: "an array of \(flags.count)",
            rule: "an array of \(layers) truth values"))
      }
      isWindowed = stated
    } else {
      let pattern = try extent(key) ?? pattern
      for layer in isWindowed.indices { isWindowed[layer] = (layer + 1) % pattern != 0 }
    }
    return .array(isWindowed.map { $0 ? "sliding_attention" : "full_attention" })
  }

  /// Gemma 2 and 3: the queries' scale follows from the sizes alone.
  ///
  /// - Parameter scaledByWidth: Number of layers of the model whose scale is that of the hidden width
  ///   shared among its heads, and not that of a head.
  mutating func gemma(
    _ config: inout JSONObject, scaledByWidth: Int
  ) throws(ModelGraphError) {
    let isByWidth = try needed("block_count") == scaledByWidth
    let share = try needed("embedding_length") / needed("attention.head_count")
    config["query_pre_attn_scalar"] = JSONValue(isByWidth ? max(1, share) : headSize)
    config["hidden_activation"] = "gelu_pytorch_tanh"
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
      config[key] = try positive(key).map { JSONValue($0) } ?? .null
    }
  }

  /// The factors; the file's name for each ends in `_scale`.
  mutating func graniteFactors(_ config: inout JSONObject) throws(ModelGraphError) {
    let scale = try positive("attention.scale") ?? 1 / Double(headSize).squareRoot()
    config["attention_multiplier"] = JSONValue(scale)
    config["embedding_multiplier"] = JSONValue(try positive("embedding_scale") ?? 1)
    config["residual_multiplier"] = JSONValue(try positive("residual_scale") ?? 1)
    config["logits_scaling"] = JSONValue(try positive("logit_scale") ?? 1)
  }

  /// The number of experts under the name `count`, their width under `width` where it is not that of
  /// the one MLP.
  mutating func experts(
    _ config: inout JSONObject, count: String, width: String? = nil
  ) throws(ModelGraphError) {
    config[count] = JSONValue(try needed("expert_count"))
    config["num_experts_per_tok"] = JSONValue(try needed("expert_used_count"))
    if let width { config[width] = JSONValue(try needed("expert_feed_forward_length")) }
  }

  /// A divisor for each frequency, in tensors.
  mutating func longRoPE(_ config: inout JSONObject) throws(ModelGraphError) {
    let original = try extent("rope.scaling.original_context_length")
    if let original { config["original_max_position_embeddings"] = JSONValue(original) }
    let magnitude = try positive("rope.scaling.attn_factor")
    guard let long = constants[GGUFDialect.longFactors],
      let short = constants[GGUFDialect.shortFactors]
    else {
      guard magnitude == nil || magnitude == 1 else {
        throw ModelGraphError(.missingTensors([GGUFDialect.longFactors, GGUFDialect.shortFactors]))
      }
      return
    }
    var scaling: JSONObject = [
      "rope_type": "longrope", "long_factor": .array(long.map { JSONValue($0) }),
      "short_factor": .array(short.map { JSONValue($0) }),
    ]
    if let magnitude { scaling["attention_factor"] = JSONValue(magnitude) }
    config["rope_scaling"] = .object(scaling)
  }
}
