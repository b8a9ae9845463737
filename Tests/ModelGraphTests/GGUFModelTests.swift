import ByteIO
import Checkpoint
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import ModelGraph

/// Digests are those that `Scripts/check_gguf.py digest` prints, from the PyPI package gguf and numpy.
@Suite("GGUF files as models")
struct GGUFModelTests {
  @Test("a quantised Llama decodes to the tensors that the reference gives")
  func fixture() throws {
    try check(
      Fixtures.path("gguf/llama.gguf"),
      [
        "model.layers.1.self_attn.q_proj.weight":
          "81af388efbb42fdcc46bbd9fc098fbf01da0d6b89335678b4085da6b58e936ec",
        "model.layers.0.self_attn.k_proj.weight":
          "937d688af26aa7560d2db715a19546272ae406f6c7bef5130b51228527a2c6a5",
        "model.layers.1.self_attn.v_proj.weight":
          "664975d53095e8d1cd2a18f016fc6ee011caa6a2de0785aee16e95c8c5e75635",
        "model.layers.0.input_layernorm.weight":
          "0e47190659b6baf7f1abb9346b4bc3ce54e05fe6e5e3743d9c23918d2519b14c",
      ])
  }

  @Test("any part of a split model is the whole model", arguments: 1...3)
  func split(_ part: Int) throws {
    let whole = try open(Fixtures.path("gguf/llama.gguf"))
    let parts = try open(Fixtures.path("gguf/split-0000\(part)-of-00003.gguf"))
    #expect(parts.graph == whole.graph)
  }

  private static let smollm2 =
    Fixtures.folder + "/../build/real/SmolLM2-135M-Instruct.Q4_1.gguf"

  @Test("SmolLM2-135M", .enabled(if: try pathKind(smollm2) == .file))
  func real() throws {
    let graph = try check(
      Self.smollm2,
      [
        "model.embed_tokens.weight":
          "3fd491c8066dd9dc1a2bf6796701526c82817d95c0ecabacdef3013c2b8bbbaa",
        "model.layers.0.self_attn.q_proj.weight":
          "54b377bbfa2deab945dfdba7fb59e0ca3eb74329358bd1b53b635b3ff37c1a56",
        "model.layers.29.self_attn.k_proj.weight":
          "8e99b2450d5f3d53731f52790cc82f80b04341e533306bcfee6669ffa3c79921",
        "model.layers.7.self_attn.v_proj.weight":
          "8b6862c014dfc739fbe56bfac2c726cc02ed06fb47a5d68c1fe0ffff2bfcb86b",
        "model.layers.11.mlp.down_proj.weight":
          "f852715198a3b80c7baa68c57b06c165da35545f1a7e65a41475318cdcd6ae8e",
        "model.norm.weight":
          "3b87f8e27335e67fc08f159cabfd2d18f205d6c5b225a6f978153552bf01d559",
      ])
    #expect(graph.blocks.count == 30)
    #expect(graph.sizes.headSize == 64)
    #expect(graph.spec.finalNorm.epsilon == 1e-5)
    #expect(graph.head == nil)
    #expect(graph.config["rms_norm_eps"] == .number(JSONNumber(text: "1e-05")))
  }

  @discardableResult
  private func check(_ path: String, _ digests: [String: String]) throws -> ModelGraph {
    let (checkpoint, graph) = try open(path)
    let reader = RecipeReader(checkpoint)
    for (name, digest) in digests {
      let parameter = try #require(graph.parameters.first { $0.name.string == name })
      let rows = parameter.shape[0]
      var bytes = [UInt8](repeating: 0, count: parameter.elementCount * 4)
      var raw = bytes.mutableRawSpan
      _ = try reader.read(
        parameter.recipe, shape: parameter.shape, type: .f32, rows: 0..<rows, into: &raw)
      #expect(SHA256.digest(of: bytes).description == digest, "\(name)")
    }
    return graph
  }

  private func open(_ path: String) throws -> (checkpoint: Checkpoint, graph: ModelGraph) {
    let checkpoint = try Checkpoint.open(path)
    let translation = try GGUFTranslation(
      metadata: try #require(checkpoint.metadata), tensors: checkpoint.tensors
    ) { name in
      let count = checkpoint.record(name)?.elementCount ?? 0
      var values = [Float](repeating: 0, count: count)
      var span = values.mutableSpan
      try checkpoint.readFloats(name, elements: 0..<count, into: &span)
      return values
    }
    let graph = try ModelGraph.read(
      config: translation.config, parameters: translation.parameters)
    return (checkpoint, graph)
  }
}
