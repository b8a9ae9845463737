import ByteIO
import JSON
import Tensors
import TestSupport
import Testing

@testable import ModelGraph

/// A change of one field, and what must come of it.
struct ConfigCase: CustomTestStringConvertible {
  var model = "tiny-llama/source"
  var field: String
  var value: JSONValue?
  var problem: ModelGraphError.Problem

  var testDescription: String { "\(model): \(field) = \(value?.text() ?? "absent")" }

  init(
    _ field: String, _ value: JSONValue?, _ problem: ModelGraphError.Problem,
    in model: String = "tiny-llama/source"
  ) {
    self.model = model
    self.field = field
    self.value = value
    self.problem = problem
  }
}

@Suite("what is not understood is refused by name")
struct RefusalTests {
  static let unknown: [ConfigCase] = [
    ("num_local_experts", 8, "8"), ("sliding_window", 16, "16"), ("num_kv_shared_layers", 2, "2"),
    ("final_logit_softcapping", 30, "30"), ("embedding_multiplier", 12, "12"),
    ("attention_multiplier", 0.5, "0.5"), ("no_rope_layers", [1], "[1]"),
    ("num_experts", 0, "0"), ("is_bidirectional", false, "false"), ("my_note", "x", "\"x\""),
  ].map { ConfigCase($0.0, $0.1, .unknownField($0.0, value: $0.2)) }

  static let unsupported: [ConfigCase] = [
    .init("model_type", "bert", .unsupportedArchitecture("bert")),
    .init("hidden_act", "relu", .unsupportedField("hidden_act", value: "\"relu\"")),
    .init(
      "partial_rotary_factor", 0.5, .unsupportedField("partial_rotary_factor", value: "0.5")),
    .init(
      "rope_scaling", ["rope_type": "default", "partial_rotary_factor": 0.5],
      .unsupportedField("partial_rotary_factor", value: "0.5")),
    .init(
      "early_exit_threshold", 0.5, .unsupportedField("early_exit_threshold", value: "0.5"),
      in: "../recurrent/ouro-default/model"),
    .init(
      "qk_bias", false, .unsupportedField("qk_bias", value: "false"),
      in: "../recurrent/huginn-default/model"),
    .init(
      "num_key_value_heads", 1, .unsupportedField("num_key_value_heads", value: "1"),
      in: "../recurrent/huginn-default/model"),
    .init(
      "injection_type", "carry", .unsupportedField("injection_type", value: "carry"),
      in: "tiny-llama/retrofit"),
    .init("is_causal", false, .unsupportedField("is_causal", value: "false")),
    .init(
      "use_bidirectional_attention", true,
      .unsupportedField("use_bidirectional_attention", value: "true")),
    .init(
      "quantization_config", ["quant_method": "gptq"],
      .unsupportedField("quantization_config", value: "{\"quant_method\":\"gptq\"}")),
    .init(
      "rope_scaling", ["rope_type": "mrope", "factor": 4],
      .unsupportedField("rope_scaling.rope_type", value: "mrope")),
    .init(
      "rope_scaling", ["type": "dynamic", "factor": 4, "alpha": 2],
      .unsupportedField("rope_scaling.alpha", value: "2")),
    .init(
      "rope_scaling", ["type": "linear", "factor": 2, "attention_factor": 0.5],
      .unsupportedField("rope_scaling.attention_factor", value: "0.5")),
    .init(
      "injection_type", "gate", .unsupportedField("injection_type", value: "gate"),
      in: "tiny-olmo2/retrofit"),
    .init(
      "qk_bias", true, .unsupportedField("qk_bias", value: "true"), in: "tiny-olmo2/retrofit"),
    .init(
      "init_values", ["std": 0.1, "embed_scale": 72.66],
      .unsupportedField("init_values.embed_scale", value: "72.66"), in: "tiny-olmo2/retrofit"),
    .init(
      "initial_state_mode", "skip-adapter",
      .unsupportedField("initial_state_mode", value: "skip-adapter"), in: "tiny-olmo2/retrofit"),
  ]

  static let malformed: [ConfigCase] = [
    .init("model_type", nil, .missingField("model_type")),
    .init("rope_scaling", ["type": "linear"], .missingField("rope_scaling.factor")),
    .init(
      "rope_parameters", ["rope_type": "default", "rope_theta": 5],
      .conflictingFields("rope_theta", "rope_parameters.rope_theta")),
    .init(
      "rms_norm_eps", 0.5, .conflictingFields("rms_norm_eps", "norm_eps"),
      in: "tiny-olmo2/retrofit"),
    .init("hidden_size", "32", .wrongType(field: "hidden_size", wanted: "a whole number")),
    .init("tie_word_embeddings", false, .missingTensors(["lm_head.weight"])),
  ]

  static let invalid: [ConfigCase] = [
    ("layer_types", ["full_attention"], "a list of 1", "a list of 10"),
    ("num_key_value_heads", 3, "3", "a divisor of 4 heads"), ("head_dim", 7, "7", "even"),
    ("hidden_size", -32, "-32", "between 1 and 2147483647"),
    ("num_hidden_layers", 1_000_000_000, "1000000000", "at most the number of tensors, 92"),
    ("rms_norm_eps", 0, "0", "positive and finite"),
    ("vocab_size", 97, "97", "at most 96, the embedding's rows"),
  ].map { ConfigCase($0.0, $0.1, .invalidValue(field: $0.0, value: $0.2, rule: $0.3)) }

  @Test("fields", arguments: unknown + unsupported + malformed + invalid)
  func field(_ sample: ConfigCase) throws {
    var (config, tensors) = try golden(sample.model)
    config[sample.field] = sample.value
    #expect(throws: ModelGraphError(sample.problem)) {
      _ = try ModelGraph.read(config: config, tensors: tensors)
    }
  }

  @Test("layers beyond the configuration's count are left over")
  func moreLayers() throws {
    var (config, tensors) = try golden("tiny-llama/source")
    config["num_hidden_layers"] = 9
    let names = tensors.map(\.name).filter { $0.string.hasPrefix("model.layers.9.") }.sorted()
    #expect(throws: ModelGraphError(.leftoverTensors(names.map(\.string)))) {
      _ = try ModelGraph.read(config: config, tensors: tensors)
    }
  }

  @Test(
    "fields without effect are accepted",
    arguments: [
      ("sliding_window", nil), ("is_causal", true), ("num_beam_groups", 1),
      ("use_flash_attention_2", true), ("_flash_attn_2_enabled", true), ("attn_pdrop", 0.0),
      ("layer_types", .array(Array(repeating: "full_attention", count: 10))),
      ("partial_rotary_factor", 1.0), ("unsloth_fixed", true), ("dtype", "bfloat16"),
      ("rope_scaling", ["rope_type": "default"]), ("head_dim", nil), ("vocab_size", 90),
    ] as [(String, JSONValue?)])
  func harmless(field: String, value: JSONValue?) throws {
    var (config, tensors) = try golden("tiny-llama/source")
    config[field] = value
    let graph = try ModelGraph.read(config: config, tensors: tensors)
    #expect(graph.sizes.vocabulary == 96)
    #expect(graph.blocks[0].spec.attention.rotary == RotaryEmbedding(theta: 100_000))
  }

  @Test("a field that the user says has no effect is passed over, with a note")
  func ignored() throws {
    var (config, tensors) = try golden("tiny-llama/source")
    config["my_note"] = "x"
    let graph = try ModelGraph.read(config: config, tensors: tensors, ignoring: ["my_note"])
    #expect(graph.notes.map(\.code) == ["config.ignored"])
    config["is_causal"] = false
    #expect(throws: ModelGraphError(.unsupportedField("is_causal", value: "false"))) {
      _ = try ModelGraph.read(config: config, tensors: tensors, ignoring: ["my_note", "is_causal"])
    }
  }

  @Test("Mistral's window is the stated one, its class's where none is stated, or none")
  func mistralWindow() throws {
    var (config, tensors) = try golden("tiny-llama/source")
    config["model_type"] = "mistral"
    func visible() throws -> AttentionSpec.Visible {
      try ModelGraph.read(config: config, tensors: tensors).blocks[0].spec.attention.visible
    }
    #expect(try visible() == .window(4096))
    config["sliding_window"] = 63
    #expect(try visible() == .window(63))
    config["sliding_window"] = .null
    #expect(try visible() == .all)
  }

  @Test("Qwen's windows stand where the switch, the first layer and the list of layers put them")
  func qwenWindows() throws {
    var (config, tensors) = try golden("tiny-qwen2/source")
    let layers = try #require(config["num_hidden_layers"]?.integer)
    func windowed() throws -> [Int] {
      let graph = try ModelGraph.read(config: config, tensors: tensors)
      return graph.blocks.indices.filter { graph.blocks[$0].spec.attention.visible == .window(32) }
    }
    config["sliding_window"] = 32
    config["max_window_layers"] = 2
    #expect(try windowed().isEmpty)
    config["use_sliding_window"] = true
    #expect(try windowed() == Array(2..<layers))
    config["layer_types"] = .array(
      (0..<layers).map { $0 == 1 ? "sliding_attention" : "full_attention" })
    #expect(try windowed() == [1])
    config["use_sliding_window"] = false
    #expect(throws: ModelGraphError(.missingField("sliding_window"))) { _ = try windowed() }
  }

  @Test("tensors: leftover, missing, misshapen, integers")
  func tensors() throws {
    let (config, tensors) = try golden("tiny-llama/source")
    func read(_ change: (inout [TensorRecord]) -> Void) throws -> ModelGraph {
      var changed = tensors
      change(&changed)
      return try ModelGraph.read(config: config, tensors: changed)
    }
    let bias: TensorName = "model.layers.0.self_attn.q_proj.bias"
    #expect(throws: ModelGraphError(.leftoverTensors([bias.string]))) {
      _ = try read {
        $0.append($0[0])
        $0[$0.count - 1].name = bias
      }
    }
    #expect(throws: ModelGraphError(.missingTensors(["model.norm.weight"]))) {
      _ = try read { $0.removeAll { $0.name == "model.norm.weight" } }
    }
    let index = try #require(tensors.firstIndex { $0.name.string.hasSuffix("gate_proj.weight") })
    let (name, shape) = (tensors[index].name.string, tensors[index].shape)
    #expect(
      throws: ModelGraphError(.wrongShape(found: shape.reversed(), wanted: shape), tensor: name)
    ) { _ = try read { $0[index].shape.reverse() } }
    #expect(throws: ModelGraphError(.notFloatingPoint(.i8), tensor: name)) {
      _ = try read { $0[index].type = .element(.i8) }
    }
  }

  @Test("wrappers' prefixes are stripped and reported; buffers are dropped, a stored head is kept")
  func prefixes() throws {
    var (config, tensors) = try golden("tiny-llama/source")
    config["tie_word_embeddings"] = true
    for i in tensors.indices {
      tensors[i].name = TensorName("module._orig_mod." + tensors[i].name.string)
    }
    var buffer = tensors[0]
    buffer.name = "module._orig_mod.model.layers.0.self_attn.rotary_emb.inv_freq"
    var head = tensors[0]
    head.name = "module._orig_mod.lm_head.weight"
    let graph = try ModelGraph.read(config: config, tensors: tensors + [buffer, head])
    // Whether the head is the embedding, its bytes tell.
    #expect(graph.saysTied && graph.head?.name.string == "module._orig_mod.lm_head.weight")
    #expect(graph.parameters.count == tensors.count + 1)
    #expect(graph.embedding.name == "module._orig_mod.model.embed_tokens.weight")
    #expect(
      graph.notes.map(\.code) == ["model.buffer_dropped", "model.prefix", "model.prefix"])

    let twice = TensorName(String(tensors[0].name.string.dropFirst("module.".count)))
    var double = tensors[0]
    double.name = twice
    #expect(
      throws: ModelGraphError(
        .duplicateName(tensors[0].name.string, twice.string), tensor: twice.string)
    ) { _ = try ModelGraph.read(config: config, tensors: tensors + [double]) }
  }
}
