import ByteIO
import Checkpoint
import JSON
import Recurrence
import RecurrentPackage
import Tensors
import TestSupport
import Testing

@testable import ModelGraph
@testable import TransformersExport

/// What `block_specs` says, against what the source's own configuration says: the numbers below are
/// those of its fields, read by a person who knows the family's class in transformers.
@Suite("block_specs of an exported folder")
struct BlockSpecTests {
  /// The table of a family's fixture, of which layers 0-1, 3-4 and 5 are taken.
  private func table(_ name: String) throws -> JSONValue {
    let checkpoint = try Checkpoint.open(Fixtures.path("families/\(name)/model"))
    let source = try ModelGraph.read(
      config: try #require(checkpoint.config), tensors: checkpoint.tensors)
    let selection = try LayerSelection("0-1/3-4/5", of: 6)
    let plan = try RetrofitPlan(source, RetrofitOptions(selection: selection))
    let folder = try ExportedFolder.recurrent(
      ExportedFolder.Source(
        checkpoint, plan.result, inputs: try checkpoint.inputs.map { try ByteRegion(path: $0) },
        toolVersion: ToolVersion("0.1.0")))
    return try #require(folder.contents.config["block_specs"])
  }

  private func json(_ text: String) throws -> JSONValue {
    try JSONValue(parsing: Array(text.utf8))
  }

  @Test("Gemma-2: windows by layer, caps, four norms with one added, a scale of its own")
  func gemma2() throws {
    let table = try table("gemma2-types")
    // Layers 0 and 1 see all, 3 to 5 a window of 3.
    #expect(table["prelude"] == [0, 0] && table["core"] == [1, 1] && table["coda"] == [1])
    let blocks = try #require(table["distinct"]?.array)
    #expect(blocks.count == 2)
    for (block, window) in zip(blocks, ["null", "3"]) {
      // 256 is query_pre_attn_scalar: a scale of 1 / 16.
      let wanted = try json(
        """
        {"attention": {"window": \(window), "scale": 0.0625, "softcap": 2.0, "norm": null,
          "qkv_bias": false, "output_bias": false,
          "rotary": {"type": "default", "theta": 10000.0, "dimensions": 8}},
         "mlp": {"activation": "gelu_tanh", "bias": false}, "residual_multiplier": 1.0,
         "norms": [
          {"place": "attention_input", "offset": 1.0, "epsilon": 1e-06},
          {"place": "attention_output", "offset": 1.0, "epsilon": 1e-06},
          {"place": "mlp_input", "offset": 1.0, "epsilon": 1e-06},
          {"place": "mlp_output", "offset": 1.0, "epsilon": 1e-06}]}
        """)
      #expect(wanted.difference(from: block, at: "block") == nil, "\(block.text())")
    }
    // The embedding is multiplied by the root of 16.
    let model = try json(
      """
      {"embedding_multiplier": 4.0, "final_norm": {"offset": 1.0, "epsilon": 1e-06},
       "logits_divisor": 1.0, "logit_softcap": 3.0}
      """)
    #expect(model.difference(from: try #require(table["model"]), at: "model") == nil)
  }

  @Test("a spec stands once, however many blocks have it")
  func once() throws {
    let table = try table("mistral-window")
    #expect(table["distinct"]?.array?.count == 1)
    #expect(table["prelude"] == [0, 0] && table["core"] == [0, 0] && table["coda"] == [0])
    #expect(table["distinct"]?.array?.first?["attention"]?["window"]?.integer == 5)
  }

  @Test("a folder where it says something else is refused by the member's name")
  func contradicted() throws {
    let checkpoint = try Checkpoint.open(Fixtures.path("golden/tiny-llama/retrofit"))
    let graph = try ModelGraph.read(
      config: try #require(checkpoint.config), tensors: checkpoint.tensors)
    let folder = try ExportedFolder.recurrent(
      ExportedFolder.Source(
        checkpoint, graph, inputs: try checkpoint.inputs.map { try ByteRegion(path: $0) },
        toolVersion: ToolVersion("0.1.0")))
    var config = folder.contents.config
    let text = try #require(config["block_specs"]).text()
    config["block_specs"] = try json(text.replacing("\"silu\"", with: "\"gelu\""))
    let error = #expect(throws: ModelGraphError.self) {
      _ = try ModelGraph.read(config: config, parameters: folder.contents.parameters)
    }
    #expect(error?.code == "config.invalid_value")
    #expect(error?.message.contains("block_specs.distinct.0.mlp.activation") == true)
  }
}
