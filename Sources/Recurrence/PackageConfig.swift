package import JSON
package import ModelGraph
import Tensors

extension ModelGraph {
  /// The configuration of this recurrent model as a package in `dialect` has it, keys sorted.
  ///
  /// Fields of the source's that are not about names and extents are kept as they are.
  ///
  /// - Parameter adapterStart: Name of the adapter's start values, for the record.
  package func packageConfig(
    _ dialect: Dialect, adapterStart: String?
  ) throws(RecurrenceError) -> JSONObject {
    guard let body = recurrence else { throw RecurrenceError(.notRecurrent) }
    var fields = packageFields(isRaven: dialect == .raven)
    for key in Self.replaced { fields[key] = nil }
    for member in commonFields(body, adapterStart: adapterStart).members {
      fields[member.key] = member.value
    }
    let own = dialect == .raven ? ravenFields(body) : nativeFields
    for member in own.members { fields[member.key] = member.value }
    for member in layerLists.members { fields[member.key] = member.value }
    return fields.sorted
  }

  /// Fields that each dialect spells its own way, and those that describe the source's files.
  private static let replaced = [
    "_attn_implementation_autoset", "_name_or_path", "architectures", "auto_map", "block_specs",
    "dtype",
    "head_dim", "hidden_size", "max_sequence_length", "model_file", "model_type", "n_embd",
    "n_heads", "n_layers", "nonlin_name", "norm_eps", "num_attention_heads", "num_hidden_layers",
    "num_key_value_heads", "rms_norm_eps", "rope_base", "rope_parameters", "rope_scaling",
    "rope_theta", "tie_embeddings", "tie_word_embeddings", "torch_dtype", "transformers_version",
  ]

  private func commonFields(_ body: RecurrentBody, adapterStart: String?) -> JSONObject {
    let type = JSONValue.string((body.core.first?.weightType ?? embedding.type).torchName)
    func layers(_ blocks: [Block]) -> JSONValue { .array(blocks.map { JSONValue($0.sourceLayer) }) }
    var fields: JSONObject = [
      "source_model_type": .string(family),
      "source_layers": [
        "prelude": layers(body.prelude), "core": layers(body.core), "coda": layers(body.coda),
      ],
      "n_layers_in_prelude": JSONValue(body.prelude.count),
      "n_layers_in_recurrent_block": JSONValue(body.core.count),
      "n_layers_in_coda": JSONValue(body.coda.count),
      "mean_recurrence": JSONValue(body.meanRecurrence),
      "mean_backprop_depth": JSONValue(body.meanBackpropDepth),
      "sampling_scheme": "poisson-lognormal-filling",
      "injection_type": .string(body.injection.kind.rawValue),
      "adapter_concat_order": "state_first", "adapter_bias": false,
      "state_init": "like-init",
      "initial_state_mode": body.stateStart == .embedding ? "embed-init" : "random",
      "init_values": initValues(body), "norm_after_core": .bool(body.coreNorm != nil),
      "intermediate_size": JSONValue(sizes.intermediate),
      "num_key_value_heads": JSONValue(sizes.keyValueHeads),
      "head_dim": JSONValue(sizes.headSize), "max_position_embeddings": JSONValue(sizes.context),
      "norm_eps": number(spec.finalNorm.epsilon),
      "vocab_size": config["vocab_size"] ?? JSONValue(sizes.vocabulary),
      "padded_vocab_size": JSONValue(sizes.vocabulary), "torch_dtype": type, "dtype": type,
      "tie_embeddings": .bool(head == nil),
    ]
    if let rank = body.injection.rank { fields["gate_rank"] = JSONValue(rank) }
    switch rotaryFields {
    case .one(let rotary?):
      fields["rope_theta"] = number(rotary.theta)
      fields["rope_scaling"] = rotary.scalingFields(sizes).map { .object($0) } ?? .null
    case .one(nil): break
    case .byLayerType(let parameters): fields["rope_parameters"] = .object(parameters)
    }
    if let adapterStart { fields["adapter_init"] = .string(adapterStart) }
    return fields
  }

  private func expectedDepth(_ body: RecurrentBody) -> Int { body.executions(body.meanRecurrence) }

  /// `std` is the state's; readers of the published retrofits take a zero there as a state of zeros.
  private func initValues(_ body: RecurrentBody) -> JSONValue {
    let deviation: Double =
      switch body.stateStart {
      case .normal(let deviation): deviation
      case .zero, .embedding: 0
      }
    let start = 0.008703882797784892
    return [
      "std": number(deviation), "embedding": number(deviation == 0 ? start : deviation),
      "out_proj": number(
        (deviation == 0 ? start : deviation) / (2 * Double(expectedDepth(body))).squareRoot()),
      "embed_scale": 1.0,
    ]
  }

  private func ravenFields(_ body: RecurrentBody) -> JSONObject {
    // Only `tie_embeddings`: with `tie_word_embeddings` beside it the published code cannot load.
    [
      "architectures": ["RavenForCausalLM"], "model_type": "huginn_raven",
      "n_embd": JSONValue(sizes.hidden), "n_heads": JSONValue(sizes.heads),
      "n_layers": JSONValue(blocks.count), "rope_base": number(rotaryBase),
      "block_size": JSONValue(sizes.context),
      "effective_expected_depth": JSONValue(expectedDepth(body)), "bias": false, "qk_bias": false,
      "architecture_class_name": "RecurrentGPT", "block_class_name": "SandwichBlock",
      "norm_class_name": "RMSNorm_llama", "mlp_class_name": "GatedMLP", "nonlin_name": "SiLU",
      "init_strategy": "takase", "init_orthogonal": false, "padding_multiple": 4096,
      "test_time_noise": 0, "test_time_noise_type": "fixed",
      "activation_checkpoint_impl": "per-iteration",
    ]
  }

  /// What a reader of `rope_base` takes for the base of the frequencies; ours do not read it.
  private var rotaryBase: Double {
    blocks.lazy.compactMap(\.spec.attention.rotary).first?.theta ?? 10_000
  }

  private var nativeFields: JSONObject {
    var fields: JSONObject = [
      "architectures": ["RecurrentForCausalLM"], "model_type": .string("recurrent_" + family),
      "hidden_size": JSONValue(sizes.hidden), "num_attention_heads": JSONValue(sizes.heads),
      "num_hidden_layers": JSONValue(blocks.count),
      "rms_norm_eps": number(spec.finalNorm.epsilon),
      "tie_word_embeddings": .bool(head == nil),
    ]
    if case .one(let rotary?) = rotaryFields {
      fields["rope_parameters"] = .object(rotary.parameters(sizes))
    }
    return fields
  }
}

extension ModelGraph {
  /// Reads a package's configuration again: it must say what this model computes.
  func check(_ config: JSONObject, _ dialect: Dialect) throws(RecurrenceError) {
    let again: ModelGraph
    do {
      again = try ModelGraph.read(config: config, parameters: parameters)
    } catch {
      throw RecurrenceError(.notExpressible(dialect, error.message))
    }
    guard again.spec == spec, again.blocks.map(\.spec) == blocks.map(\.spec) else {
      throw RecurrenceError(.notExpressible(dialect, "its fields have other numbers"))
    }
  }
}

/// A finite number, as all of a graph's are.
private func number(_ value: Double) -> JSONValue { .number(JSONNumber(value)) }
