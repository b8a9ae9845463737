import JSON

/// What is said of configuration fields that no reader asks for.
enum FieldRules {
  /// Fields with a meaning, of which only some values are supported.
  private static let supported: [String: [JSONValue]] = [
    "hidden_act": ["silu", "swish"], "hidden_activation": ["silu", "swish"],
    "nonlin_name": ["SiLU"], "mlp_class_name": ["GatedMLP"],
    "norm_class_name": ["RMSNorm_llama", "RMSNorm"], "qk_bias": [false], "bias": [false],
    "adapter_bias": [false], "adapter_concat_order": ["state_first"], "test_time_noise": [0],
    "partial_rotary_factor": [1], "rotary_pct": [1], "rope_interleaved": [false],
    "position_embedding_type": ["rotary", "rope"], "is_decoder": [true, false],
    "is_encoder_decoder": [false], "add_cross_attention": [false],
  ]

  /// Fields that say nothing about the numbers of an inference in float32.
  private static let inert: Set<String> = [
    "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal",
    "_name_or_path", "activation_checkpoint_impl", "adapter_init", "architecture_class_name",
    "architectures", "attention_dropout", "attn_implementation", "auto_map", "block_class_name",
    "block_size", "bos_token_id", "chunk_size_feed_forward", "ckpt_version", "dtype",
    "effective_expected_depth", "embed_dropout", "eos_token_id", "hidden_dropout",
    "init_orthogonal", "init_strategy", "initializer_range", "injection_options",
    "intermediate_dropout", "model_type", "pad_token_id", "padded_vocab_size",
    "padding_multiple", "pretraining_tp", "resid_pdrop", "rope_base", "sampling_scheme",
    "special_token_ids", "task_specific_params", "test_time_noise_type", "tokenizer_class",
    "torch_dtype", "transformers_version", "unk_token_id", "use_cache", "use_fused_head",
  ]

  /// Parts of names of fields that change arithmetic in one model or another.
  private static let telling = [
    "activation", "alibi", "attention", "attn", "bias", "cap", "clip", "conv", "embedding",
    "expert",
    "gate", "group", "kv", "lora", "mlp", "moe", "mult", "nope", "norm", "parallel", "per_layer",
    "quant", "residual", "rope", "rotary", "router", "scal", "shared", "ssm", "window",
  ]

  /// Throws for a field that was not read and may change the numbers; returns the names of those
  /// that were passed over.
  static func check(_ config: JSONObject, read: Set<String>) throws(ModelGraphError) -> [String] {
    var ignored: [String] = []
    for member in config.members where !member.value.isNull && !inert.contains(member.key) {
      if let values = supported[member.key] {
        guard values.contains(where: { matches($0, member.value) }) else {
          throw ModelGraphError(.unsupportedField(member.key, value: member.value.text()))
        }
      } else if !read.contains(member.key), !isNeutral(member.value, of: member.key) {
        guard !telling.contains(where: { member.key.contains($0) }) else {
          throw ModelGraphError(.unknownField(member.key, value: member.value.text()))
        }
        ignored.append(member.key)
      }
    }
    return ignored
  }

  private static func matches(_ a: JSONValue, _ b: JSONValue) -> Bool {
    if let x = a.double, let y = b.double { x == y } else { a == b }
  }

  /// Whether a value switches off whatever the field means.
  private static func isNeutral(_ value: JSONValue, of key: String) -> Bool {
    switch value {
    case .null: true
    case .bool(let on): !on
    case .string(let text): text.isEmpty
    case .array(let elements): elements.isEmpty
    case .object(let object): object.isEmpty
    case .number(let number):
      number.double == (key.contains("mult") || key.contains("scal") ? 1 : 0)
    }
  }
}
