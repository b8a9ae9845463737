import ByteIO
import Checkpoint
import JSON
import Tensors
import TestSupport
import Testing

@testable import ModelGraph

func golden(_ name: String) throws -> (config: JSONObject, tensors: [TensorRecord]) {
  let checkpoint = try Checkpoint.open(Fixtures.path("golden/" + name))
  return (try #require(checkpoint.config), checkpoint.tensors)
}

@Suite("golden models as graphs")
struct GoldenGraphTests {
  /// Llama's block with heads of `headSize` and these constants, and what differs from it.
  static func spec(
    theta: Double, headSize: Double, epsilon: Double = 1e-5,
    scaling: RotaryEmbedding.Scaling = .none, _ change: (inout BlockSpec) -> Void = { _ in }
  ) -> BlockSpec {
    var spec = BlockSpec(
      attention: AttentionSpec(
        rotary: RotaryEmbedding(theta: theta, scaling: scaling), scale: 1 / headSize.squareRoot()),
      mlp: MLPSpec(),
      norms: [
        BlockNorm(.attentionInput, NormSpec(epsilon: epsilon)),
        BlockNorm(.mlpInput, NormSpec(epsilon: epsilon)),
      ])
    change(&spec)
    return spec
  }

  static let llama3 = RotaryEmbedding.Scaling.llama3(
    factor: 8, low: 1, high: 4, originalContext: 32)

  static let specs: [(String, BlockSpec)] = [
    ("tiny-llama", spec(theta: 100_000, headSize: 8)),
    ("tiny-llama3-rope", spec(theta: 500_000, headSize: 16, epsilon: 1e-6, scaling: llama3)),
    (
      "tiny-olmo2",
      spec(theta: 500_000, headSize: 8, epsilon: 1e-6) {
        let norm = NormSpec(epsilon: 1e-6)
        $0.norms = [BlockNorm(.attentionOutput, norm), BlockNorm(.mlpOutput, norm)]
        $0.attention.queryKeyNorm = QueryKeyNorm(.all, norm)
      }
    ),
    (
      "tiny-qwen2",
      spec(theta: 1_000_000, headSize: 8, epsilon: 1e-6) { $0.attention.queryKeyValueBias = true }
    ),
    (
      "tiny-qwen3",
      spec(theta: 1_000_000, headSize: 16, epsilon: 1e-6) {
        $0.attention.queryKeyNorm = QueryKeyNorm(.head, NormSpec(epsilon: 1e-6))
      }
    ),
  ]

  @Test("a source model's blocks, sizes and head are those of its configuration", arguments: specs)
  func source(name: String, spec: BlockSpec) throws {
    let (config, tensors) = try golden(name + "/source")
    let graph = try ModelGraph.read(config: config, tensors: tensors)
    #expect(graph.blocks.allSatisfy { $0.spec == spec })
    #expect(graph.blocks.count == config["num_hidden_layers"]?.integer)
    #expect(graph.sizes.hidden == 32)
    #expect(graph.sizes.headSize == (name == "tiny-qwen3" || name.contains("rope") ? 16 : 8))
    #expect((graph.head == nil) == config["tie_word_embeddings"]?.bool)
    #expect(graph.parameters.count == tensors.count)
    #expect(graph.notes.isEmpty)
  }

  @Test("a published-style retrofit is told by its tensors", arguments: specs.prefix(3))
  func retrofit(name: String, spec: BlockSpec) throws {
    let (config, tensors) = try golden(name + "/retrofit")
    let graph = try ModelGraph.read(config: config, tensors: tensors)
    let body = try #require(graph.recurrence)
    #expect(graph.blocks.allSatisfy { $0.spec == spec })
    #expect(graph.family == (name == "tiny-olmo2" ? "olmo2" : "llama"))
    #expect(body.prelude.count == 2 && body.coda.count == 2)
    #expect(body.core.count == config["n_layers_in_recurrent_block"]?.integer)
    #expect(body.adapter?.shape == [32, 64])
    #expect(body.stateStart == .normal(standardDeviation: 0.11180339887498948))
    #expect(body.meanRecurrence == 8 && body.meanBackpropDepth == 4)
    #expect(graph.head != nil)
    #expect(graph.parameters.count == tensors.count)
  }

  @Test("rotary scaling of Llama 3 is read in both spellings")
  func rotary() throws {
    var (config, tensors) = try golden("tiny-llama3-rope/source")
    let want = RotaryEmbedding(theta: 500_000, scaling: Self.llama3)
    func rotary() throws -> RotaryEmbedding? {
      try ModelGraph.read(config: config, tensors: tensors).blocks[0].spec.attention.rotary
    }
    #expect(try rotary() == want)
    var parameters = try #require(config["rope_scaling"]?.object)
    parameters["rope_theta"] = config["rope_theta"]
    config["rope_scaling"] = nil
    config["rope_theta"] = nil
    config["rope_parameters"] = .object(parameters)
    #expect(try rotary() == want)
  }
}
