import ByteIO
import Checkpoint
import Foundation
import JSON
import Kernels
import ModelGraph
import Models
import PackageTraining
import Tensors
import TestSupport
import Testing
import Training
import Transformer

@testable import CheckpointCommands

@Suite("commands on models with experts")
struct ExpertCommandTests {
  private let folder = TemporaryFolder()

  private func source(_ name: String) -> String { Fixtures.path("families/\(name)/model") }

  @Test(
    "a retrofit in either dialect is verified, against float64 formulas too",
    arguments: ["qwen3moe-mixed", "mixtral-default", "olmoe-packed"], ["raven", "native"])
  func retrofits(name: String, dialect: String) throws {
    let path = folder.file("package")
    let done = try outcome(
      Retrofit.self,
      [source(name), "--select", "0-1/3-4/5", "--dialect", dialect, "-o", path])
    #expect(done.code == 0, "\(done.notes)")
    let verified = try outcome(
      Verify.self, [path, "--source", source(name), "--self-test", "--json"])
    #expect(verified.code == 0, "\(verified.output)")
    let config = try #require(try OpenedModel(path).checkpoint.config)
    // Layers 0 and 4 of six have one MLP: 0 and 3 of those that are selected.
    let wanted: JSONValue? = name == "qwen3moe-mixed" ? [0, 3] : nil
    #expect(config["mlp_only_layers"] == wanted)
  }

  @Test("packed experts stay packed, and single ones single")
  func form() throws {
    for (name, tensor) in [
      ("mixtral-packed", "core.0.mlp.experts.gate_up_proj"),
      ("mixtral-default", "core.0.block_sparse_moe.experts.7.w3.weight"),
    ] {
      let path = folder.file(name)
      let done = try outcome(
        Retrofit.self,
        [source(name), "--select", "0-1/3-4/5", "--dialect", "native", "-o", path])
      #expect(done.code == 0, "\(done.notes)")
      #expect(try OpenedModel(path).checkpoint.tensors.contains { $0.name.string == tensor })
    }
  }

  @Test(
    "low-rank factors are of each expert's matrices too; packed ones are saved as PEFT has them")
  func lowRank() throws {
    var settings = TrainingSettings()
    settings.mode = .lora
    settings.lora.matrices = [.gate, .down]
    settings.lora.rank = 2
    let single = try OpenedModel(source("mixtral-default"))
    let factors = try NetworkTraining(single, settings, on: Compute(1)).network.factors
    #expect(Set(factors.map(\.role)) == [.expertGate, .expertDown])
    #expect(factors.count == 6 * 8 * 2)
    settings.lora.matrices = [.query, .gate, .up, .down]
    let packed = try NetworkTraining(
      OpenedModel(source("mixtral-packed")), settings, on: Compute(1))
    try FactorFolder(network: packed.network, settings: settings.lora).write(
      to: folder.file("factors"))
    let stored = try Checkpoint.open(folder.file("factors/adapter_model.safetensors"))
    func shape(_ name: String) -> [Int]? {
      stored.record(TensorName("base_model.model.model.layers.2.\(name).weight"))?.shape
    }
    // Five experts of width 9; gate and up are one tensor, with the rank of both.
    #expect(shape("mlp.experts.base_layer.lora_A") == [20, 16])
    #expect(shape("mlp.experts.base_layer.lora_B") == [18, 20])
    #expect(shape("mlp.experts.lora_A") == [10, 9])
    #expect(shape("mlp.experts.lora_B") == [16, 10])
    #expect(shape("self_attn.q_proj.lora_A") == [2, 16])
    #expect(stored.tensors.count == 6 * 6)
  }

  @Test("to Muon each expert's matrices are its own, packed or not")
  func optimizer() throws {
    for (name, count, width) in [("mixtral-packed", 5, 9), ("mixtral-default", 8, 8)] {
      let training = try NetworkTraining(
        OpenedModel(source(name)), TrainingSettings(), on: Compute(1))
      let matrices = training.tensors.filter { $0.name.contains("layers.3.") && $0.isBodyMatrix }
      let shapes = matrices.map(\.shape)
      #expect(shapes.count { $0 == [2 * width, 16] } >= count)
      #expect(shapes.count { $0 == [16, width] } == count)
      #expect(shapes.allSatisfy { $0.count == 2 })
      // None overlaps another, and none is left out.
      let ranges = training.tensors.map { $0.offset..<($0.offset + $0.elementCount) }
        .sorted { $0.lowerBound < $1.lowerBound }
      #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
      #expect(
        ranges.reduce(0) { $0 + $1.count }
          == training.network.tensors.reduce(0) { $0 + $1.count })
    }
  }

  @Test("a run trains every part, and its ledger counts the experts that are chosen")
  func trains() throws {
    let data = folder.file("data.bin")
    let tokens: [UInt8] = (0..<4096).flatMap { (i: Int) -> [UInt8] in
      [UInt8(i * 7919 % 45 + 3), 0]
    }
    try Data(tokens).write(to: URL(fileURLWithPath: data))
    let done = try outcome(
      Train.self,
      [
        source("olmoe-default"), "-o", folder.file("run"), "--cache", folder.file("cache"),
        "--data", data, "--steps", "3", "--batch-size", "2", "--sequence-length", "16",
        "--set", "evaluation.rows=2", "--json",
      ])
    #expect(done.code == 0, "\(done.notes)")
    // 6 FLOPs a token and parameter of the blocks that it meets.
    let blocks = 24_144 - 6 * 5 * 384
    #expect(done.json?["flops"]?.double == Double(6 * 3 * 32 * blocks))
  }

  @Test("inspect counts what there is and what a token meets")
  func inspects() throws {
    let done = try outcome(Inspect.self, [source("olmoe-default"), "--json"])
    let json = try #require(done.json)
    #expect(json["parameters"]?.integer == 25_696)
    // Five of eight experts of 3 · 8 · 16 weights are not chosen, in six layers.
    #expect(json["architecture"]?["active_parameters"]?.integer == 25_696 - 6 * 5 * 384)
  }
}
