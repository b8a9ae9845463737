import JSON

/// What a family's file asks of a configuration.
struct FamilyReader {
  var config: ConfigReader
  let sizes: ModelSizes
  /// Layers that the tensors make up.
  let layers: Int
  let turnsPartOfHeads: Bool
  /// Whether a tensor is stored for a role of the first block, in a checkpoint whose configuration
  /// has no fields for biases; nil where the configuration alone counts.
  let isStored: ((BlockRole) -> Bool)?

  mutating func epsilon() throws(ModelGraphError) -> Double {
    guard let epsilon = try config.positive("rms_norm_eps", "norm_eps") else {
      throw config.missing("rms_norm_eps")
    }
    return epsilon
  }

  /// Llama's block: norms before attention and MLP, every key visible, no biases.
  mutating func plainBlock() throws(ModelGraphError) -> BlockSpec {
    try plainBlock(rotary: try rotary())
  }

  /// The same with a rotary embedding of its own, or none.
  mutating func plainBlock(
    rotary: RotaryEmbedding?
  ) throws(ModelGraphError) -> BlockSpec {
    let norm = NormSpec(epsilon: try epsilon())
    return BlockSpec(
      attention: AttentionSpec(
        rotary: rotary, scale: 1 / Double(sizes.headSize).squareRoot()),
      mlp: MLPSpec(activation: try activation("hidden_act")),
      norms: [BlockNorm(.attentionInput, norm), BlockNorm(.mlpInput, norm)])
  }

  /// Biases of all projections of attention by `attention_bias`, of the MLP by `mlp_bias`.
  mutating func readBiases(_ block: inout BlockSpec) throws(ModelGraphError) {
    func told(_ key: String, _ role: BlockRole) -> Bool? {
      config.states(key) ? nil : isStored?(role)
    }
    let attention = try config.bool("attention_bias") ?? false
    let mlp = try config.bool("mlp_bias") ?? false
    block.attention.queryKeyValueBias = told("attention_bias", .queryKeyValueBias) ?? attention
    block.attention.outputBias = told("attention_bias", .outputBias) ?? attention
    block.mlp.bias = told("mlp_bias", .gateUpBias) ?? mlp
  }

  mutating func activation(_ key: String) throws(ModelGraphError) -> Activation {
    guard let name = try config.string(key) else { return .silu }
    switch name {
    case "silu", "swish": return .silu
    case "gelu": return .gelu
    case "gelu_pytorch_tanh", "gelu_new": return .geluTanh
    default: throw ModelGraphError(.unsupportedField(key, value: "\"\(name)\""))
    }
  }

  /// What layer `layer` sees: as `layer_types` says, or as the family's own rule where it is silent.
  ///
  /// - Parameters:
  ///   - width: Of the window; nil where there is none.
  ///   - isWindowed: The rule.
  mutating func visible(
    _ layer: Int, width: Int?, isWindowed: (Int) -> Bool
  ) throws(ModelGraphError) -> AttentionSpec.Visible {
    guard let kinds = try layerTypes() else {
      return isWindowed(layer) ? width.map { .window($0) } ?? .all : .all
    }
    switch kinds[layer] {
    case "full_attention": return .all
    case "sliding_attention":
      guard let width else { throw config.missing("sliding_window") }
      return .window(width)
    default:
      throw ModelGraphError(.unsupportedField("layer_types", value: "\"\(kinds[layer])\""))
    }
  }

  /// `layer_types`, a name for each layer.
  mutating func layerTypes() throws(ModelGraphError) -> [String]? {
    guard let field = try config.value("layer_types") else { return nil }
    let names = field.value.array?.compactMap(\.string) ?? []
    guard names.count == layers, names.count == field.value.array?.count else {
      throw ModelGraphError(
        .invalidValue(
          field: "layer_types", value: "a list of \(field.value.array?.count ?? 0)",
          rule: "a list of \(layers)"))
    }
    return names
  }
}

extension BlockSpec {
  /// The block's name in `layer_types`.
  var layerType: JSONValue {
    if case .window = attention.visible { "sliding_attention" } else { "full_attention" }
  }
}
