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
  static let styles: [(String, BlockStyle)] = [
    ("tiny-llama", BlockStyle()), ("tiny-llama3-rope", BlockStyle()),
    ("tiny-olmo2", BlockStyle(norms: .after, queryKeyNorm: .fullWidth)),
    ("tiny-qwen2", BlockStyle(queryKeyValueBias: true)),
    ("tiny-qwen3", BlockStyle(queryKeyNorm: .perHead)),
  ]

  @Test("a source model's blocks, sizes and head are those of its configuration", arguments: styles)
  func source(name: String, style: BlockStyle) throws {
    let (config, tensors) = try golden(name + "/source")
    let graph = try ModelGraph.read(config: config, tensors: tensors)
    #expect(graph.style == style)
    #expect(graph.blocks.count == config["num_hidden_layers"]?.integer)
    #expect(graph.sizes.hidden == 32)
    #expect(graph.sizes.headSize == (name == "tiny-qwen3" || name.contains("rope") ? 16 : 8))
    #expect((graph.head == nil) == config["tie_word_embeddings"]?.bool)
    #expect(graph.parameters.count == tensors.count)
    #expect(graph.notes.isEmpty)
  }

  @Test("a published-style retrofit is told by its tensors", arguments: styles.prefix(3))
  func retrofit(name: String, style: BlockStyle) throws {
    let (config, tensors) = try golden(name + "/retrofit")
    let graph = try ModelGraph.read(config: config, tensors: tensors)
    let body = try #require(graph.recurrence)
    #expect(graph.style == style)
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
    let want = RotaryEmbedding(
      theta: 500_000, scaling: .llama3(factor: 8, low: 1, high: 4, originalContext: 32))
    #expect(try ModelGraph.read(config: config, tensors: tensors).rotary == want)
    var parameters = try #require(config["rope_scaling"]?.object)
    parameters["rope_theta"] = config["rope_theta"]
    config["rope_scaling"] = nil
    config["rope_theta"] = nil
    config["rope_parameters"] = .object(parameters)
    #expect(try ModelGraph.read(config: config, tensors: tensors).rotary == want)
  }
}
