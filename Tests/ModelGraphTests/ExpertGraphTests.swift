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
}
