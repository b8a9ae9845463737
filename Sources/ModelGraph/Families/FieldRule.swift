import JSON

/// What a family makes of a field of its configuration. A field without a rule is refused by name.
enum FieldRule: Sendable {
  /// Decides a number of the model, and must be stated.
  case required
  /// Decides a number of the model; where it is left out, it is what the family's class in
  /// transformers takes.
  case read(default: JSONValue = .null)
  /// Has a meaning, of which only these values are supported.
  case only([JSONValue])
  /// A list that must have this element for every layer.
  case everyLayer(JSONValue)
  /// Says nothing about the numbers of an inference in float32.
  case inert
}

/// The closed list of a family's fields.
typealias FieldRules = [String: FieldRule]

extension FieldRules {
  /// This list with `others`, which win.
  func with(_ others: FieldRules) -> FieldRules { merging(others) { $1 } }

  private static func inert(_ names: String) -> FieldRules {
    FieldRules(
      uniqueKeysWithValues: names.split(whereSeparator: \.isWhitespace).map { (String($0), .inert) }
    )
  }

  /// Defaults of the fields that are read.
  var defaults: [String: JSONValue] {
    compactMapValues { if case .read(let value) = $0 { value } else { nil } }
  }

  /// The same where a published retrofit's own code reads the file: it takes nothing for granted.
  var ravenDefaults: [String: JSONValue] {
    defaults.filter { !["rope_theta", "rms_norm_eps"].contains($0.key) }
  }

  /// What every decoder of transformers has: extents, the rotary embedding, the MLP's activation.
  static let decoder: FieldRules = Self.everyModel.with([
    "hidden_size": .required, "intermediate_size": .required, "num_hidden_layers": .required,
    "num_attention_heads": .required, "vocab_size": .required, "max_position_embeddings": .required,
    "num_key_value_heads": .read(), "head_dim": .read(), "hidden_act": .read(default: "silu"),
    "rms_norm_eps": .read(default: 1e-6), "tie_word_embeddings": .read(default: false),
    "rope_theta": .read(default: 10_000), "rope_scaling": .read(), "rope_parameters": .read(),
    "partial_rotary_factor": .read(), "original_max_position_embeddings": .read(),
    "layer_types": .everyLayer("full_attention"),
    "attention_bias": .only([false]), "mlp_bias": .only([false]),
  ])

  /// Fields of every configuration in transformers, 4 and 5, and what tools leave there.
  static let everyModel: FieldRules =
    inert(
      """
      _attn_implementation _attn_implementation_autoset _attn_implementation_internal
      _commit_hash _experts_implementation _experts_implementation_internal
      _name_or_path architectures attention_dropout attn_implementation auto_map bos_token_id
      chunk_size_feed_forward dtype eos_token_id initializer_range model_type output_attentions
      output_hidden_states pad_token_id pretraining_tp problem_type return_dict sep_token_id
      task_specific_params tokenizer_class torch_dtype torchscript transformers_version unk_token_id
      use_bfloat16 use_cache id2label label2id num_labels finetuning_task prefix
      decoder_start_token_id forced_bos_token_id forced_eos_token_id
      """
    ).with(generation).with(leftovers).with([
      "is_decoder": .only([true, false]), "is_encoder_decoder": .only([false]),
      "add_cross_attention": .only([false]), "cross_attention_hidden_size": .only([]),
      "tie_encoder_decoder": .only([false]), "is_causal": .only([true]),
      "pruned_heads": .only([[:]]),
      "use_bidirectional_attention": .only([false]), "quantization_config": .only([]),
      "position_embedding_type": .only(["rotary", "rope"]), "rope_interleaved": .only([false]),
      "rotary_pct": .only([1]), "is_llama_config": .only([true]), "use_mrope": .only([false]),
    ])

  /// Settings of generation, which transformers 4 kept in the same file.
  private static let generation = inert(
    """
    bad_words_ids cache_implementation begin_suppress_tokens diversity_penalty do_sample early_stopping
    encoder_no_repeat_ngram_size exponential_decay_length_penalty generation_config length_penalty
    max_length max_new_tokens min_length min_p no_repeat_ngram_size num_beam_groups num_beams
    num_return_sequences output_scores remove_invalid_values repetition_penalty
    return_dict_in_generate suppress_tokens temperature top_k top_p typical_p
    """)

  /// What trainers and quantisers are known to leave behind, without effect on the weights as they
  /// are stored.
  private static let leftovers = inert(
    """
    _flash_attn_2_enabled attn_pdrop embd_pdrop resid_pdrop embed_dropout hidden_dropout
    intermediate_dropout transformers.js_config unsloth_fixed unsloth_version unsloth_tokenized use_flash_attention_2
    use_flash_attn use_fused_head gradient_checkpointing use_mem_efficient_path
    """)

  /// What makes a package of this tool.
  static let package: FieldRules = inert(
    """
    adapter_init sampling_scheme injection_options source_model_type model_file
    """
  ).with([
    "source_layers": .read(), "n_layers_in_prelude": .required,
    "n_layers_in_recurrent_block": .required, "n_layers_in_coda": .required,
    "mean_recurrence": .read(), "mean_backprop_depth": .read(), "injection_type": .read(),
    "gate_rank": .read(),
    "norm_after_core": .read(), "init_values": .read(), "state_init": .read(),
    "initial_state_mode": .read(), "adapter_concat_order": .only(["state_first"]),
    "adapter_bias": .only([false]), "norm_eps": .read(), "tie_embeddings": .read(),
    "padded_vocab_size": .inert, "block_specs": .read(),
  ])

  /// The same under the names of the published retrofits, with what their code writes.
  static let raven: FieldRules = package.with(
    inert(
      """
      activation_checkpoint_impl architecture_class_name block_class_name block_size ckpt_version
      effective_expected_depth init_orthogonal init_strategy padding_multiple rope_base
      special_token_ids test_time_noise_type
      """)
  ).with([
    "n_embd": .read(), "n_heads": .read(), "n_layers": .read(), "max_sequence_length": .read(),
    "hidden_size": .read(), "num_attention_heads": .read(), "num_hidden_layers": .read(),
    "bias": .only([false]), "qk_bias": .only([false]), "nonlin_name": .only(["SiLU"]),
    "mlp_class_name": .only(["GatedMLP"]), "norm_class_name": .only(["RMSNorm_llama", "RMSNorm"]),
    "test_time_noise": .only([0]),
  ])

  /// Throws for a field that has no rule, or a value that its rule does not allow.
  ///
  /// - Parameters:
  ///   - layers: The number that lists of layers must be as long as.
  ///   - ignored: Fields that the user says have no effect.
  /// - Returns: Names of the fields that were ignored.
  func check(
    _ config: JSONObject, layers: Int?, ignoring ignored: Set<String>
  ) throws(ModelGraphError) -> [String] {
    var passedOver: [String] = []
    for member in config.members where !member.value.isNull {
      switch self[member.key] {
      case .required?, .read?, .inert?: break
      case .only(let values)? where values.contains(where: { $0.means(member.value) }): break
      case .everyLayer(let wanted)?:
        let elements = member.value.array ?? []
        guard elements.count == layers else {
          throw ModelGraphError(
            .invalidValue(
              field: member.key, value: "a list of \(elements.count)",
              rule: "a list of \(layers ?? 0)"))
        }
        if let other = elements.first(where: { $0 != wanted }) {
          throw ModelGraphError(.unsupportedField(member.key, value: other.text()))
        }
      case .only?:
        throw ModelGraphError(.unsupportedField(member.key, value: member.value.text()))
      case nil where ignored.contains(member.key): passedOver.append(member.key)
      case nil: throw ModelGraphError(.unknownField(member.key, value: member.value.text()))
      }
    }
    return passedOver
  }
}

extension JSONValue {
  /// Whether both say the same: 1 and 1.0 do.
  fileprivate func means(_ other: JSONValue) -> Bool {
    if let a = double, let b = other.double { a == b } else { self == other }
  }
}
