import ByteIO
import JSON
import ModelGraph
import Tensors
import Testing

@testable import Recurrence

/// One of the paper's four retrofits, and its counts as the paper's artefacts have them.
struct PaperModel: CustomTestStringConvertible {
  var preset: String
  var config: JSONObject
  var isTied = false
  var block: Int
  var blocks: Int
  var total: Int
  var source: Int

  var testDescription: String { preset }
}

@Suite("parameter counts of the paper's retrofits")
struct PaperCountTests {
  static let tinyLlama: JSONObject = [
    "model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632,
    "num_attention_heads": 32, "num_key_value_heads": 4, "num_hidden_layers": 22,
    "vocab_size": 32000, "max_position_embeddings": 2048, "rms_norm_eps": 1e-05,
    "rope_theta": 10000.0, "tie_word_embeddings": false,
  ]
  static let llama: JSONObject = [
    "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192,
    "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 16,
    "vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-05,
    "rope_theta": 500000.0, "tie_word_embeddings": true,
  ]
  static let olmo: JSONObject = [
    "model_type": "olmo2", "hidden_size": 2048, "intermediate_size": 8192,
    "num_attention_heads": 16, "num_key_value_heads": 16, "num_hidden_layers": 16,
    "vocab_size": 100352, "max_position_embeddings": 4096, "rms_norm_eps": 1e-06,
    "rope_theta": 500000.0, "tie_word_embeddings": false,
  ]
  static let models = [
    PaperModel(
      preset: "tinyllama-4-8-4", config: tinyLlama, block: 44_044_288, blocks: 704_708_608,
      total: 844_171_264, source: 1_100_048_384),
    PaperModel(
      preset: "llama-4-6-4", config: llama, isTied: true, block: 60_821_504, blocks: 851_501_056,
      total: 1_385_228_288, source: 1_235_814_400),
    PaperModel(
      preset: "llama-2-4-2", config: llama, isTied: true, block: 60_821_504, blocks: 486_572_032,
      total: 1_020_299_264, source: 1_235_814_400),
    PaperModel(
      preset: "olmo2-4-6-4", config: olmo, block: 67_117_056, blocks: 939_638_784,
      total: 1_359_071_232, source: 1_484_916_736),
  ]

  /// The tensors such a model has, without a byte of them.
  static func records(_ model: PaperModel) throws -> [TensorRecord] {
    func extent(_ key: String) throws -> Int { try #require(model.config[key]?.integer) }
    let (h, m, v) = (
      try extent("hidden_size"), try extent("intermediate_size"), try extent("vocab_size")
    )
    let kv = h / (try extent("num_attention_heads")) * (try extent("num_key_value_heads"))
    var shapes: [(String, [Int])] = [
      ("model.embed_tokens.weight", [v, h]), ("model.norm.weight", [h]),
    ]
    if !model.isTied { shapes.append(("lm_head.weight", [v, h])) }
    let isOLMo = model.config["model_type"] == "olmo2"
    let norms =
      isOLMo
      ? [
        ("post_attention_layernorm", h), ("post_feedforward_layernorm", h), ("self_attn.q_norm", h),
        ("self_attn.k_norm", kv),
      ] : [("input_layernorm", h), ("post_attention_layernorm", h)]
    for i in 0..<(try extent("num_hidden_layers")) {
      let layer = "model.layers.\(i)."
      shapes += norms.map { (layer + $0.0 + ".weight", [$0.1]) }
      shapes += [
        (layer + "self_attn.q_proj.weight", [h, h]), (layer + "self_attn.k_proj.weight", [kv, h]),
        (layer + "self_attn.v_proj.weight", [kv, h]), (layer + "self_attn.o_proj.weight", [h, h]),
        (layer + "mlp.gate_proj.weight", [m, h]), (layer + "mlp.up_proj.weight", [m, h]),
        (layer + "mlp.down_proj.weight", [h, m]),
      ]
    }
    return shapes.map { name, shape in
      TensorRecord(
        name: TensorName(name), type: .element(.f32), shape: shape,
        byteCount: shape.reduce(4, *), file: "", offset: nil)
    }
  }

  @Test("by part", arguments: models)
  func counts(model: PaperModel) throws {
    let graph = try ModelGraph.read(config: model.config, tensors: Self.records(model))
    let selection = try LayerSelection(preset: model.preset, of: graph.blocks.count)
    let plan = try RetrofitPlan(graph, RetrofitOptions(selection: selection))
    #expect(plan.sourceCounts.total == model.source)
    #expect(plan.counts.blocks == model.blocks)
    #expect(plan.counts.core == model.block * selection.core.count)
    #expect(plan.counts.adapter == 8_388_608)
    #expect(plan.counts.total == model.total)
    #expect(plan.byteCount == 4 * model.total)
    #expect(
      plan.counts.effective(recurrences: 4)
        == model.block
        * (selection.prelude.count + 4 * selection.core.count + selection.coda.count))
    // The published checkpoints' numbers of tensors.
    let tensors = ["tinyllama-4-8-4": 100, "llama-4-6-4": 88, "olmo2-4-6-4": 116]
    if let count = tensors[model.preset] { #expect(plan.parameters.count == count) }
  }
}
