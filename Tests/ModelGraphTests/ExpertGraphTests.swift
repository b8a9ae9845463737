import ByteIO
import Checkpoint
import JSON
import Tensors
import TestSupport
import Testing

@testable import ModelGraph

@Suite("configurations with experts")
struct ExpertGraphTests {
  private func read(
    _ model: String, _ changes: JSONObject = [:],
    tensors change: (inout [TensorRecord]) -> Void = { _ in }
  ) throws -> ModelGraph {
    let checkpoint = try Checkpoint.open(Fixtures.path("families/\(model)/model"))
    var config = try #require(checkpoint.config)
    for member in changes.members { config[member.key] = member.value }
    var tensors = checkpoint.tensors
    change(&tensors)
    return try ModelGraph.read(config: config, tensors: tensors)
  }

  @Test("each block has its own: which layers have experts is told by two fields")
  func layers() throws {
    func experts(_ changes: JSONObject, _ model: String = "qwen3moe-mixed") throws -> [Int] {
      let blocks = try read(model, changes).blocks
      return blocks.indices.filter { blocks[$0].spec.mlp.experts != nil }
    }
    #expect(try experts([:]) == [1, 2, 3, 5])
    // Layer 1 is the second, so the step takes it; the list leaves it out again.
    #expect(try experts([:], "qwen3moe-step") == [3, 5])
    let spec = try read("qwen3moe-mixed").blocks[1].spec.mlp.experts
    #expect(
      spec == ExpertSpec(count: 5, chosen: 3, width: 12, isNormalised: true, balance: 0.5))
    let olmoe = try read("olmoe-default").blocks[0].spec.mlp.experts
    #expect(
      olmoe == ExpertSpec(count: 8, chosen: 3, width: 8, isNormalised: false, balance: 0.01))
    let mixtral = try read("mixtral-default").blocks[0].spec.mlp.experts
    #expect(
      mixtral == ExpertSpec(count: 8, chosen: 2, width: 8, isNormalised: true, balance: 0.001))
  }

  @Test("what a file leaves out is what its class in transformers takes")
  func defaults() throws {
    let table = try JSONValue(
      parsing: ByteRegion(path: Fixtures.path("families/defaults.json")).contents(limit: 1 << 20))
    for family in [Family.qwen3MoE, .olmoe, .mixtral] {
      let own = try #require(table[family.modelType]?.object)
      for (field, value) in family.fields.defaults where !value.isNull {
        guard let theirs = own[field] else { continue }
        #expect(theirs.double == value.double && theirs.bool == value.bool, "\(field)")
      }
      for field in own.members where !field.value.isNull {
        #expect(family.fields[field.key] != nil, "\(family.modelType): \(field.key)")
      }
    }
  }

  @Test("fields that do not fit are refused with their values")
  func refusals() throws {
    func refused(
      _ model: String, _ field: String, _ value: JSONValue, _ problem: ModelGraphError.Problem
    ) {
      #expect(throws: ModelGraphError(problem), "\(model): \(field)") {
        _ = try read(model, [field: value])
      }
    }
    func invalid(_ field: String, _ value: String, _ rule: String) -> ModelGraphError.Problem {
      .invalidValue(field: field, value: value, rule: rule)
    }
    refused(
      "olmoe-default", "num_experts", 7,
      invalid("num_experts", "7", "8, the rows of model.layers.0.mlp.gate.weight"))
    refused(
      "mixtral-default", "num_local_experts", 2_000_000_000,
      invalid(
        "num_local_experts", "2000000000",
        "8, the rows of model.layers.0.block_sparse_moe.gate.weight"))
    refused(
      "olmoe-default", "num_experts_per_tok", 9,
      invalid("num_experts_per_tok", "9", "at most the number of experts, 8"))
    refused(
      "olmoe-default", "num_experts", 0,
      invalid("num_experts", "0", "between 1 and 2147483647"))
    refused(
      "olmoe-default", "router_aux_loss_coef", -1,
      invalid("router_aux_loss_coef", "-1.0", "zero or positive"))
    refused(
      "qwen3moe-mixed", "mlp_only_layers", [0, 6],
      invalid("mlp_only_layers", "[0,6]", "a list of numbers of layers, 0 to 5"))
    refused(
      "qwen3moe-mixed", "num_experts", 6,
      .conflictingFields("num_experts", "num_local_experts"))
    refused("olmoe-default", "clip_qkv", 8, .unsupportedField("clip_qkv", value: "8"))
    refused(
      "mixtral-default", "router_jitter_noise", 0.1,
      .unsupportedField("router_jitter_noise", value: "0.1"))
    refused(
      "mixtral-default", "num_shared_experts", 1,
      .unknownField("num_shared_experts", value: "1"))
  }

  @Test("experts too many, too few, and of another shape are refused by their tensors")
  func tensors() throws {
    let name: TensorName = "model.layers.2.mlp.experts.7.up_proj.weight"
    #expect(throws: ModelGraphError(.missingTensors([name.string]))) {
      _ = try read("olmoe-default") { $0.removeAll { $0.name == name } }
    }
    let extra: TensorName = "model.layers.2.mlp.experts.8.up_proj.weight"
    #expect(throws: ModelGraphError(.leftoverTensors([extra.string]))) {
      _ = try read("olmoe-default") { tensors in
        guard var copy = tensors.first(where: { $0.name == name }) else { return }
        copy.name = extra
        tensors.append(copy)
      }
    }
    let packed: TensorName = "model.layers.3.mlp.experts.gate_up_proj"
    let wanted = ModelGraphError(
      .wrongShape(found: [4, 23, 16], wanted: [4, 24, 16]), tensor: packed.string)
    #expect(throws: wanted) {
      _ = try read("olmoe-packed") { tensors in
        for i in tensors.indices where tensors[i].name == packed { tensors[i].shape[1] = 23 }
      }
    }
    // Without a router nothing bounds the names but the number of tensors.
    let router: TensorName = "model.layers.0.mlp.gate.weight"
    #expect(
      throws: ModelGraphError(
        .invalidValue(
          field: "num_experts", value: "2000000000", rule: "at most the number of tensors, 200"))
    ) {
      _ = try read("olmoe-default", ["num_experts": 2_000_000_000]) {
        $0.removeAll { $0.name == router }
      }
    }
  }

  @Test("published sizes, and what a token meets of them")
  func published() throws {
    func spec(_ family: Family, _ config: JSONObject) throws -> ExpertSpec? {
      var config = config
      config["max_position_embeddings"] = 4096
      config["vocab_size"] = 32_000
      var reader = ConfigReader(config, defaults: family.fields.defaults)
      _ = try family.fields.check(config, layers: 48, ignoring: [])
      var own = FamilyReader(
        config: reader,
        sizes: try ModelSizes(&reader, intermediate: family.intermediateField, rows: nil),
        layers: 48, isStored: nil)
      return try family.block(&own, 0).mlp.experts
    }
    // Qwen3-30B-A3B's file.
    let qwen: JSONObject = [
      "architectures": ["Qwen3MoeForCausalLM"], "attention_bias": false, "decoder_sparse_step": 1,
      "head_dim": 128, "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 6144,
      "max_window_layers": 48, "mlp_only_layers": [], "model_type": "qwen3_moe",
      "moe_intermediate_size": 768, "norm_topk_prob": true, "num_attention_heads": 32,
      "num_experts": 128, "num_experts_per_tok": 8, "num_hidden_layers": 48,
      "num_key_value_heads": 4, "output_router_logits": false, "rms_norm_eps": 1e-06,
      "rope_scaling": .null, "rope_theta": 1_000_000.0, "router_aux_loss_coef": 0.001,
      "sliding_window": .null, "tie_word_embeddings": false, "use_sliding_window": false,
    ]
    #expect(
      try spec(.qwen3MoE, qwen)
        == ExpertSpec(count: 128, chosen: 8, width: 768, isNormalised: true, balance: 0.001))
    // OLMoE-1B-7B's.
    let olmoe: JSONObject = [
      "architectures": ["OlmoeForCausalLM"], "attention_bias": false, "clip_qkv": .null,
      "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 1024,
      "model_type": "olmoe", "norm_topk_prob": false, "num_attention_heads": 16,
      "num_experts": 64, "num_experts_per_tok": 8, "num_hidden_layers": 48,
      "num_key_value_heads": 16, "output_router_logits": false, "rope_scaling": .null,
      "rope_theta": 10_000.0, "router_aux_loss_coef": 0.01, "tie_word_embeddings": false,
    ]
    #expect(
      try spec(.olmoe, olmoe)
        == ExpertSpec(count: 64, chosen: 8, width: 1024, isNormalised: false, balance: 0.01))
    // Mixtral-8x7B's.
    let mixtral: JSONObject = [
      "architectures": ["MixtralForCausalLM"], "hidden_act": "silu", "hidden_size": 4096,
      "intermediate_size": 14_336, "model_type": "mixtral", "num_attention_heads": 32,
      "num_experts_per_tok": 2, "num_hidden_layers": 48, "num_key_value_heads": 8,
      "num_local_experts": 8, "output_router_logits": false, "rms_norm_eps": 1e-05,
      "rope_theta": 1_000_000.0, "router_aux_loss_coef": 0.02, "sliding_window": .null,
      "tie_word_embeddings": false,
    ]
    #expect(
      try spec(.mixtral, mixtral)
        == ExpertSpec(count: 8, chosen: 2, width: 14_336, isNormalised: true, balance: 0.02))
  }
}
