/// A model family as data: how its configuration decides the block, and what its tensors are
/// called. Nothing else in the program knows a family's name.
struct Family: Sendable {
  /// Values of the configuration's `model_type`.
  var modelTypes: [String]
  var norms: BlockStyle.NormPlacement
  var queryKeyNorm: BlockStyle.QueryKeyNorm
  var biases: BiasRule
  var window: WindowRule
  /// Tensor names inside a layer, after `layers.N.`.
  var suffixes: [BlockRole: String]

  /// Which projections carry biases.
  enum BiasRule: Sendable {
    case none
    /// Query, key and value, whatever the configuration says.
    case queryKeyValue
    /// `attention_bias` decides for query, key, value and output, `mlp_bias` for the MLP.
    case configured
  }

  /// When the configuration puts a sliding window in use.
  enum WindowRule: Sendable {
    /// The family has none: a window field is not understood.
    case none
    /// `sliding_window` alone decides.
    case always
    /// `use_sliding_window`, from layer `max_window_layers` on.
    case switched
  }

  /// Every source family.
  static let all: [Family] = [.llama, .mistral, .olmo2, .qwen2, .qwen3]

  /// Base of the rotary frequencies when the configuration, an early one, does not say.
  static let customaryTheta = 10_000.0
}

extension [BlockRole: String] {
  /// Names most decoders share: no norms, they differ.
  static let common: Self = [
    .query: "self_attn.q_proj.weight", .queryBias: "self_attn.q_proj.bias",
    .key: "self_attn.k_proj.weight", .keyBias: "self_attn.k_proj.bias",
    .value: "self_attn.v_proj.weight", .valueBias: "self_attn.v_proj.bias",
    .output: "self_attn.o_proj.weight", .outputBias: "self_attn.o_proj.bias",
    .queryNorm: "self_attn.q_norm.weight", .keyNorm: "self_attn.k_norm.weight",
    .gate: "mlp.gate_proj.weight", .gateBias: "mlp.gate_proj.bias",
    .up: "mlp.up_proj.weight", .upBias: "mlp.up_proj.bias",
    .down: "mlp.down_proj.weight", .downBias: "mlp.down_proj.bias",
  ]

  /// `common`, with norms before attention and MLP.
  static let normsBefore = common.merging([
    .attentionNorm: "input_layernorm.weight", .mlpNorm: "post_attention_layernorm.weight",
  ]) { $1 }
}
