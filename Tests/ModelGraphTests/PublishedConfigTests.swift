import ByteIO
import JSON
import Tensors
import Testing

@testable import ModelGraph

/// A published model's configuration, as its config.json has it, and its published parameter count.
struct PublishedModel: CustomTestStringConvertible {
  var name: String
  var config: JSONObject
  var parameters: Int

  var testDescription: String { name }

  /// - Parameters:
  ///   - sizes: Hidden, intermediate, layers, heads, key/value heads, vocabulary, context.
  ///   - rest: Everything else in the file, fields without effect included.
  init(
    _ name: String, _ type: String, _ sizes: [Int], _ rest: JSONObject, parameters: Int
  ) {
    self.name = name
    self.parameters = parameters
    var config: JSONObject = [
      "model_type": .string(type), "hidden_act": "silu", "initializer_range": 0.02,
      "use_cache": true, "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
    ]
    let keys = [
      "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
      "num_key_value_heads", "vocab_size", "max_position_embeddings",
    ]
    for (key, size) in zip(keys, sizes) { config[key] = JSONValue(size) }
    for member in rest.members { config[member.key] = member.value }
    self.config = config
  }

  /// The tensors that the model's files have, without a byte of them.
  func records(family: String? = nil) throws -> [TensorRecord] {
    func extent(_ key: String) throws -> Int { try #require(config[key]?.integer) }
    let type = family ?? config["model_type"]?.string ?? ""
    let (h, m) = (try extent("hidden_size"), try extent("intermediate_size"))
    let heads = try extent("num_attention_heads")
    let head = config["head_dim"]?.integer ?? h / heads
    let (q, kv) = (heads * head, try extent("num_key_value_heads") * head)
    let v = try extent("vocab_size")
    var shapes: [(String, [Int])] = [
      ("model.embed_tokens.weight", [v, h]), ("model.norm.weight", [h]),
    ]
    if config["tie_word_embeddings"]?.bool != true { shapes.append(("lm_head.weight", [v, h])) }
    for i in 0..<(try extent("num_hidden_layers")) {
      let layer = "model.layers.\(i)."
      let attention = layer + "self_attn."
      shapes += [
        (attention + "q_proj.weight", [q, h]), (attention + "k_proj.weight", [kv, h]),
        (attention + "v_proj.weight", [kv, h]), (attention + "o_proj.weight", [h, q]),
        (layer + "post_attention_layernorm.weight", [h]),
        (layer + (type == "olmo2" ? "post_feedforward" : "input") + "_layernorm.weight", [h]),
      ]
      let experts = (config["num_experts"] ?? config["num_local_experts"])?.integer
      shapes += mlp(layer, hidden: h, width: m, experts: experts)
      switch type {
      case "olmo2", "olmoe":
        shapes += [(attention + "q_norm.weight", [q]), (attention + "k_norm.weight", [kv])]
      case "qwen3", "qwen3_moe":
        shapes += [(attention + "q_norm.weight", [head]), (attention + "k_norm.weight", [head])]
      case "qwen2":
        shapes += [
          (attention + "q_proj.bias", [q]), (attention + "k_proj.bias", [kv]),
          (attention + "v_proj.bias", [kv]),
        ]
      default: break
      }
    }
    return shapes.map { name, shape in
      TensorRecord(
        name: TensorName(name), type: .element(.bf16), shape: shape,
        byteCount: shape.reduce(2, *), file: "", offset: nil)
    }
  }

  private func mlp(
    _ layer: String, hidden: Int, width: Int, experts: Int?
  ) -> [(String, [Int])] {
    guard let experts else {
      return [
        (layer + "mlp.gate_proj.weight", [width, hidden]),
        (layer + "mlp.up_proj.weight", [width, hidden]),
        (layer + "mlp.down_proj.weight", [hidden, width]),
      ]
    }
    let isMixtral = config["model_type"] == "mixtral"
    let prefix = layer + (isMixtral ? "block_sparse_moe." : "mlp.")
    let names =
      isMixtral ? ["w1", "w3", "w2"] : ["gate_proj", "up_proj", "down_proj"]
    let width = config["moe_intermediate_size"]?.integer ?? width
    return [(prefix + "gate.weight", [experts, hidden])]
      + (0..<experts).flatMap { expert in
        zip(names, [[width, hidden], [width, hidden], [hidden, width]]).map {
          ("\(prefix)experts.\(expert).\($0).weight", $1)
        }
      }
  }

  static let accepted = [
    PublishedModel(
      "Qwen3-30B-A3B", "qwen3_moe", [2048, 6144, 48, 32, 4, 151936, 40960],
      [
        "attention_bias": false, "decoder_sparse_step": 1, "head_dim": 128,
        "max_window_layers": 48, "mlp_only_layers": [], "moe_intermediate_size": 768,
        "norm_topk_prob": true, "num_experts": 128, "num_experts_per_tok": 8,
        "output_router_logits": false, "rms_norm_eps": 1e-06, "rope_scaling": .null,
        "rope_theta": 1000000.0, "router_aux_loss_coef": 0.001, "sliding_window": .null,
        "tie_word_embeddings": false, "use_sliding_window": false,
      ], parameters: 30_532_122_624),
    PublishedModel(
      "OLMoE-1B-7B-0924", "olmoe", [2048, 1024, 16, 16, 16, 50304, 4096],
      [
        "attention_bias": false, "clip_qkv": .null, "norm_topk_prob": false, "num_experts": 64,
        "num_experts_per_tok": 8, "output_router_logits": false, "rms_norm_eps": 1e-05,
        "rope_scaling": .null, "rope_theta": 10000.0, "router_aux_loss_coef": 0.01,
        "tie_word_embeddings": false,
      ], parameters: 6_919_161_856),
    PublishedModel(
      "Mixtral-8x7B-v0.1", "mixtral", [4096, 14336, 32, 32, 8, 32000, 32768],
      [
        "num_experts_per_tok": 2, "num_local_experts": 8, "output_router_logits": false,
        "rms_norm_eps": 1e-05, "rope_theta": 1000000.0, "router_aux_loss_coef": 0.02,
        "sliding_window": .null, "tie_word_embeddings": false,
      ], parameters: 46_702_792_704),
    PublishedModel(
      "TinyLlama-1.1B", "llama", [2048, 5632, 22, 32, 4, 32000, 2048],
      [
        "rms_norm_eps": 1e-05, "pretraining_tp": 1, "rope_scaling": .null,
        "tie_word_embeddings": false, "torch_dtype": "float32",
        "transformers_version": "4.31.0.dev0",
      ], parameters: 1_100_048_384),
    PublishedModel(
      "Llama-2-7B", "llama", [4096, 11008, 32, 32, 32, 32000, 4096],
      ["rms_norm_eps": 1e-05, "pretraining_tp": 1, "tie_word_embeddings": false],
      parameters: 6_738_415_616),
    PublishedModel(
      "Llama-3.2-1B-Instruct", "llama", [2048, 8192, 16, 32, 8, 128256, 131072],
      [
        "rms_norm_eps": 1e-05, "attention_bias": false, "mlp_bias": false, "head_dim": 64,
        "eos_token_id": [128001, 128008, 128009], "rope_theta": 500000.0,
        "rope_scaling": [
          "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
          "original_max_position_embeddings": 8192, "rope_type": "llama3",
        ], "tie_word_embeddings": true,
      ], parameters: 1_235_814_400),
    PublishedModel(
      "SmolLM2-135M", "llama", [576, 1536, 30, 9, 3, 49152, 8192],
      [
        "rms_norm_eps": 1e-05, "attention_bias": false, "mlp_bias": false, "is_llama_config": true,
        "rope_interleaved": false, "rope_theta": 100000, "pad_token_id": 2,
        "transformers.js_config": ["dtype": "q4"], "tie_word_embeddings": true,
      ], parameters: 134_515_008),
    PublishedModel(
      "Mistral-7B-v0.3", "mistral", [4096, 14336, 32, 32, 8, 32768, 32768],
      [
        "rms_norm_eps": 1e-05, "rope_theta": 1000000.0, "sliding_window": .null,
        "tie_word_embeddings": false,
      ], parameters: 7_248_023_552),
    PublishedModel(
      "Qwen2.5-0.5B", "qwen2", [896, 4864, 24, 14, 2, 151936, 32768],
      [
        "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
        "max_window_layers": 24, "use_sliding_window": false, "use_mrope": false,
        "tie_word_embeddings": true,
      ], parameters: 494_032_768),
    PublishedModel(
      "Qwen2.5-7B", "qwen2", [3584, 18944, 28, 28, 4, 152064, 131072],
      [
        "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 131072,
        "max_window_layers": 28, "use_sliding_window": false, "use_mrope": false,
        "tie_word_embeddings": false,
      ], parameters: 7_615_616_512),
    PublishedModel(
      "Qwen3-0.6B", "qwen3", [1024, 3072, 28, 16, 8, 151936, 40960],
      [
        "rms_norm_eps": 1e-06, "attention_bias": false, "head_dim": 128, "rope_scaling": .null,
        "max_window_layers": 28, "rope_theta": 1_000_000, "sliding_window": .null,
        "use_sliding_window": false, "tie_word_embeddings": true,
      ], parameters: 596_049_920),
    PublishedModel(
      "Qwen3-8B", "qwen3", [4096, 12288, 36, 32, 8, 151936, 40960],
      [
        "rms_norm_eps": 1e-06, "attention_bias": false, "head_dim": 128, "rope_theta": 1_000_000,
        "max_window_layers": 36, "use_sliding_window": false, "tie_word_embeddings": false,
      ], parameters: 8_190_735_360),
    PublishedModel(
      "OLMo-2-0425-1B", "olmo2", [2048, 8192, 16, 16, 16, 100352, 4096],
      [
        "rms_norm_eps": 1e-06, "attention_bias": false, "rope_scaling": .null,
        "rope_theta": 500000, "pad_token_id": 100277, "eos_token_id": 100257,
        "tie_word_embeddings": false,
      ], parameters: 1_484_916_736),
  ]

  /// Models that are refused by name, and how their blocks differ.
  static let refused: [(PublishedModel, ModelGraphError.Problem)] = [
    (
      PublishedModel(
        "Llama with layers without positions", "llama", [576, 1536, 4, 9, 3, 49152, 8192],
        ["rms_norm_eps": 1e-06, "no_rope_layers": [1, 1, 1, 0]], parameters: 0),
      .unknownField("no_rope_layers", value: "[1,1,1,0]")
    ),
    (
      PublishedModel(
        "Qwen2-57B-A14B", "qwen2_moe", [3584, 18944, 28, 28, 4, 151936, 32768],
        ["rms_norm_eps": 1e-06, "num_experts": 64, "shared_expert_intermediate_size": 20480],
        parameters: 0), .unsupportedArchitecture("qwen2_moe")
    ),
  ]
}

@Suite("configurations of published models")
struct PublishedConfigTests {
  @Test("read, with their published numbers of parameters", arguments: PublishedModel.accepted)
  func accepted(model: PublishedModel) throws {
    let graph = try ModelGraph.read(config: model.config, tensors: model.records())
    #expect(graph.parameters.reduce(0) { $0 + $1.elementCount } == model.parameters)
    #expect(graph.family == model.config["model_type"]?.string)
    #expect(!graph.notes.contains { $0.code == "model.unused_tensor" })
  }

  @Test("read in the newer spelling of types and rotation", arguments: PublishedModel.accepted)
  func renamed(model: PublishedModel) throws {
    var config = model.config
    var rotation = config["rope_scaling"]?.object ?? ["rope_type": "default"]
    rotation["rope_theta"] = config["rope_theta"] ?? 10000.0
    for key in ["rope_theta", "rope_scaling", "torch_dtype"] { config[key] = nil }
    config["rope_parameters"] = .object(rotation)
    config["dtype"] = "bfloat16"
    let layers = try #require(config["num_hidden_layers"]?.integer)
    config["layer_types"] = .array([JSONValue](repeating: "full_attention", count: layers))
    let old = try ModelGraph.read(config: model.config, tensors: model.records())
    var new = try ModelGraph.read(config: config, tensors: model.records())
    new.config = old.config
    new.notes = old.notes
    #expect(new == old)
  }

  @Test("refused by name", arguments: PublishedModel.refused)
  func refused(model: PublishedModel, problem: ModelGraphError.Problem) throws {
    #expect(throws: ModelGraphError(problem)) {
      _ = try ModelGraph.read(config: model.config, tensors: model.records(family: "llama"))
    }
  }
}
