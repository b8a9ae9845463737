import ByteIO
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import ModelGraph

/// Names and factors as PyPI's gguf and transformers give them.
private func reference() throws -> JSONValue {
  let data = try Data(contentsOf: URL(filePath: Fixtures.path("gguf/names.json")))
  return try JSONValue(parsing: [UInt8](data), path: "names.json")
}

private func metadata(_ architecture: String, _ more: JSONObject = [:]) -> JSONObject {
  var result: JSONObject = ["general.architecture": .string(architecture)]
  let values: JSONObject = [
    "embedding_length": 32, "block_count": 2, "feed_forward_length": 64,
    "attention.head_count": 4, "attention.head_count_kv": 2, "context_length": 128,
    "rope.freq_base": 10000.0, "attention.layer_norm_rms_epsilon": .number(.init(text: "1e-05")),
    "vocab_size": 24, "rope.dimension_count": 8,
  ]
  for member in values.members { result[architecture + "." + member.key] = member.value }
  for member in more.members { result[member.key] = member.value }
  return result
}

/// The tensors of a two-layer model of the architecture, F32, with or without biases.
private func tensors(_ architecture: String, tied: Bool = false) -> [TensorRecord] {
  let after = architecture == "olmo2"
  var shapes: [(String, [Int])] = [("token_embd.weight", [24, 32]), ("output_norm.weight", [32])]
  if !tied { shapes.append(("output.weight", [24, 32])) }
  for i in 0..<2 {
    let block = "blk.\(i)."
    shapes += [
      (block + (after ? "post_attention_norm.weight" : "attn_norm.weight"), [32]),
      (block + "attn_q.weight", [32, 32]), (block + "attn_k.weight", [16, 32]),
      (block + "attn_v.weight", [16, 32]), (block + "attn_output.weight", [32, 32]),
      (block + (after ? "post_ffw_norm.weight" : "ffn_norm.weight"), [32]),
      (block + "ffn_gate.weight", [64, 32]), (block + "ffn_up.weight", [64, 32]),
      (block + "ffn_down.weight", [32, 64]),
    ]
    if architecture == "qwen2" {
      shapes += [
        (block + "attn_q.bias", [32]), (block + "attn_k.bias", [16]), (block + "attn_v.bias", [16]),
      ]
    }
    if architecture == "qwen3" || after {
      shapes += [
        (block + "attn_q_norm.weight", [after ? 32 : 8]),
        (block + "attn_k_norm.weight", [after ? 16 : 8]),
      ]
    }
  }
  return shapes.map { record($0.0, $0.1) }
}

private func record(_ name: String, _ shape: [Int]) -> TensorRecord {
  TensorRecord(
    name: TensorName(name), type: .element(.f32), shape: shape,
    byteCount: 4 * shape.reduce(1, *), file: "model.gguf", offset: 0)
}

private func translate(
  _ metadata: JSONObject, _ tensors: [TensorRecord], factors: [Float] = []
) throws -> GGUFTranslation {
  try GGUFTranslation(metadata: metadata, tensors: tensors) { _ in factors }
}

private let architectures = ["llama", "qwen2", "qwen3", "olmo2"]

@Suite("GGUF models")
struct GGUFTranslationTests {
  @Test("names map to those of the reference, and back", arguments: architectures)
  func names(_ architecture: String) throws {
    let names = try #require(try reference()["names"]?[architecture]?.object)
    let dialect = try #require(GGUFDialect(architecture: architecture))
    let naming = try #require(Naming.source(family: architecture))
    for member in names.members {
      let name = try #require(member.value.string)
      let part = try #require(dialect.part(of: name), "\(name)")
      #expect(naming.name(part) == member.key)
    }
    #expect(dialect.part(of: "blk.01.attn_q.weight") == nil)
    #expect(dialect.part(of: "blk.-1.attn_q.weight") == nil)
    #expect(dialect.part(of: "blk.1.attn_x.weight") == nil)
  }

  @Test("GG-20: a graph comes out of the metadata and the table", arguments: architectures)
  func graph(_ architecture: String) throws {
    let translation = try translate(metadata(architecture), tensors(architecture))
    let graph = try ModelGraph.read(
      config: translation.config, parameters: translation.parameters)
    #expect(graph.family == architecture)
    #expect(graph.sizes.headSize == 8)
    #expect(graph.sizes.keyValueHeads == 2)
    #expect(graph.spec.finalNorm.epsilon == 1e-5)
    #expect(graph.head != nil)
    #expect(graph.blocks.count == 2)
    let query = try #require(graph.blocks[1][.query])
    #expect(query.name == "model.layers.1.self_attn.q_proj.weight")
    let order: RowOrder = architecture == "llama" ? .splitHalves(headSize: 8) : .stored
    let source = RowSource(tensor: "blk.1.attn_q.weight", rows: 0..<32, order: order)
    #expect(query.recipe == Recipe(.rows([source])))
    let value = try #require(graph.blocks[1][.value])
    #expect(value.recipe == .copy("blk.1.attn_v.weight", rows: 16))
  }

  @Test("GG-21, GG-23: the configuration of a tied Llama, numbers in their shortest form")
  func config() throws {
    let more: JSONObject = [
      "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
      "tokenizer.ggml.padding_token_id": 2, "llama.attention.key_length": 8,
      "llama.attention.value_length": 8, "llama.expert_count": 0,
    ]
    let config = try translate(metadata("llama", more), tensors("llama", tied: true)).config
    #expect(
      config == [
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 24,
        "max_position_embeddings": 128, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
        "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false, "bos_token_id": 1,
        "eos_token_id": 2, "pad_token_id": 2,
      ])
  }

  @Test("GG-22: Llama 3's scaling is found again from its factors")
  func llama3() throws {
    let factors = try #require(try reference()["factors"]?.array).map { Float($0.double ?? 0) }
    let more: JSONObject = [
      "llama.attention.key_length": 64, "llama.attention.value_length": 64,
      "llama.rope.dimension_count": 64, "llama.rope.freq_base": 500000.0,
    ]
    let table = tensors("llama") + [record("rope_freqs.weight", [32])]
    let config = try translate(metadata("llama", more), table, factors: factors).config
    #expect(
      config["rope_scaling"] == [
        "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
      ])
    var odd = factors
    odd[16] = 3
    #expect(throws: ModelGraphError.self) {
      _ = try translate(metadata("llama", more), table, factors: odd)
    }
    let ones = [Float](repeating: 1, count: 32)
    let plain = try translate(metadata("llama", more), table, factors: ones)
    #expect(plain.config["rope_scaling"] == nil)
    #expect(!plain.parameters.contains { $0.name == "rope_freqs.weight" })
  }

  @Test("linear scaling")
  func linear() throws {
    let more: JSONObject = ["llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0]
    let config = try translate(metadata("llama", more), tensors("llama")).config
    #expect(config["rope_scaling"] == ["rope_type": "linear", "factor": 4.0])
  }

  static let refused: [(JSONObject, ModelGraphError.Problem)] = [
    (["general.architecture": .null], .missingField("general.architecture")),
    (["general.architecture": "bert"], .notReadFromGGUF("bert")),
    (["general.architecture": "ministral"], .notReadFromGGUF("ministral")),
    (["llama.expert_count": 8], .missingField("llama.expert_used_count")),
    (
      ["llama.rope.scaling.type": "yarn", "llama.rope.scaling.yarn_attn_factor": 1.5],
      .unknownField("llama.rope.scaling.yarn_attn_factor", value: "1.5")
    ),
    (
      ["llama.rope.scaling.type": "longrope"],
      .unsupportedField("llama.rope.scaling.type", value: "\"longrope\"")
    ),
    (
      ["llama.attention.head_count_kv": [2, 1]],
      .unsupportedField("llama.attention.head_count_kv", value: "[2,1]")
    ),
    (["llama.logit_scale": 0.5], .unknownField("llama.logit_scale", value: "0.5")),
    (["llama.attention.causal": false], .unknownField("llama.attention.causal", value: "false")),
    (
      ["llama.rope.dimension_count": 4],
      .unsupportedField("llama.rope.dimension_count", value: "4")
    ),
    (["llama.block_count": "2"], .wrongType(field: "llama.block_count", wanted: "a whole number")),
    (["llama.context_length": .null], .missingField("llama.context_length")),
  ]

  @Test("a window of Qwen's, which no reader of GGUF knows, is refused")
  func window() throws {
    #expect(
      throws: ModelGraphError(.unknownField("qwen2.attention.sliding_window", value: "8"))
    ) {
      _ = try translate(
        metadata("qwen2", ["qwen2.attention.sliding_window": 8]), tensors("qwen2"))
    }
  }

  @Test("what the architecture takes for granted: windows and Gemma's scale")
  func implied() throws {
    func config(_ architecture: String, layers: Int, _ more: JSONObject) throws -> JSONObject {
      let table = (0..<layers).map { record("blk.\($0).attn_norm.weight", [32]) }
      var keys = metadata(architecture)
      keys[architecture + ".block_count"] = JSONValue(layers)
      keys[architecture + ".vocab_size"] = 24
      for member in more.members { keys[architecture + "." + member.key] = member.value }
      return try translate(keys, table).config
    }
    let small = try config("gemma2", layers: 2, ["attention.key_length": 8])
    #expect(small["query_pre_attn_scalar"] == 8)
    #expect(small["layer_types"] == ["sliding_attention", "full_attention"])
    #expect(small["sliding_window"] == 4096)
    // 27B: the width of all heads together is not the hidden width.
    let wide: JSONObject = ["attention.key_length": 16, "rope.dimension_count": 16]
    #expect(try config("gemma2", layers: 46, wide)["query_pre_attn_scalar"] == 8)
    #expect(try config("gemma3", layers: 62, wide)["query_pre_attn_scalar"] == 8)
    #expect(try config("gemma3", layers: 26, wide)["query_pre_attn_scalar"] == 16)
    let full = try config("gemma3", layers: 6, [:])["layer_types"]?.array ?? []
    #expect(full.allSatisfy { $0 == "full_attention" })
    let pattern = try config(
      "gemma3", layers: 3,
      ["attention.sliding_window": 7, "attention.sliding_window_pattern": 2])
    #expect(
      pattern["layer_types"] == ["sliding_attention", "full_attention", "sliding_attention"])
  }

  @Test("a pattern of windows that does not fit the layers is refused")
  func pattern() throws {
    #expect(
      throws: ModelGraphError(
        .invalidValue(
          field: "olmo2.attention.sliding_window_pattern", value: "an array of 3",
          rule: "an array of 2 truth values"))
    ) {
      let more: JSONObject = [
        "olmo2.attention.sliding_window": 8,
        "olmo2.attention.sliding_window_pattern": [true, false, true],
      ]
      _ = try translate(metadata("olmo2", more), tensors("olmo2"))
    }
  }

  @Test("Granite without positions is refused")
  func positions() throws {
    #expect(
      throws: ModelGraphError(
        .unsupportedField("granite.rope.scaling.finetuned", value: "false"))
    ) {
      _ = try translate(
        metadata("granite", ["granite.rope.scaling.finetuned": false]), tensors("granite"))
    }
  }

  @Test("a block count that is not that of the tensors is refused", arguments: [1, 3])
  func blockCount(_ count: Int) throws {
    let translation = try translate(
      metadata("llama", ["llama.block_count": JSONValue(count)]), tensors("llama"))
    let error = #expect(throws: ModelGraphError.self) {
      _ = try ModelGraph.read(config: translation.config, parameters: translation.parameters)
    }
    #expect(error?.code == (count == 1 ? "model.unexpected_tensor" : "model.missing_tensor"))
  }

  @Test("what is not understood is refused by name", arguments: refused.indices)
  func refuses(_ index: Int) throws {
    let (more, problem) = Self.refused[index]
    #expect(throws: ModelGraphError(problem)) {
      _ = try translate(metadata("llama", more), tensors("llama"))
    }
  }
}

@Suite("GGUF export")
struct GGUFExportTests {
  @Test("export undoes translation", arguments: architectures, [true, false])
  func inverse(_ architecture: String, tied: Bool) throws {
    let source = try translate(metadata(architecture), tensors(architecture, tied: tied))
    let graph = try ModelGraph.read(config: source.config, parameters: source.parameters)
    let export = try GGUFExport(graph)
    #expect(
      Set(export.tensors.map(\.parameter).map(\.name))
        == Set(tensors(architecture, tied: tied).map(\.name)))
    for parameter in export.tensors.map(\.parameter) {
      #expect(
        parameter.recipe.content == Recipe.copy(parameter.name, rows: parameter.shape[0]).content)
    }
    let again = try translate(export.metadata, tensors(architecture, tied: tied))
    #expect(again.config == source.config)
    #expect(export.constants.isEmpty)
  }

  @Test("GG-29: what a family's files cannot say is refused by name")
  func notSaid() throws {
    let translation = try translate(metadata("qwen2"), tensors("qwen2"))
    let graph = try ModelGraph.read(
      config: translation.config, parameters: translation.parameters)
    func refusal(_ change: (inout Block) -> Void) throws -> String {
      guard case .plain(var blocks) = graph.body else { return "" }
      change(&blocks[1])
      var graph = graph
      graph.body = .plain(blocks)
      let error = #expect(throws: ModelGraphError.self) { _ = try GGUFExport(graph) }
      #expect(error?.code == "gguf.not_expressible")
      return error?.message ?? ""
    }
    #expect(
      try refusal { $0.spec.attention.visible = .window(8) }
        == "GGUF cannot express layers.1.attention.window = 8 in a model of qwen2; its files mean null"
    )
    #expect(
      try refusal { $0.spec.attention.rotary = nil }.contains("layers.1.attention.rotary = null"))
    #expect(
      try refusal { $0.spec.mlp.activation = .gelu }.contains("layers.1.mlp.activation = \"gelu\"")
    )
    #expect(
      try refusal { $0.spec.attention.scale = 1 }.contains("layers.1.attention.scale = 1"))
  }

  @Test("a head that no reader of the architecture looks for is refused")
  func head() throws {
    let translation = try translate(metadata("gemma"), tensors("gemma"))
    let graph = try ModelGraph.read(
      config: translation.config, parameters: translation.parameters)
    #expect(
      throws: ModelGraphError(
        .notInGGUF("a head that is not the embedding, in a model of gemma"))
    ) { _ = try GGUFExport(graph) }
  }

  @Test("rows of a Hugging Face Llama are interleaved, head by head; vectors become F32")
  func interleaves() throws {
    let translation = try translate(metadata("llama"), tensors("llama"))
    let stored = translation.parameters.map { parameter in
      var record = record(parameter.name.string, parameter.shape)
      record.type = .element(.bf16)
      return record
    }
    let graph = try ModelGraph.read(config: translation.config, tensors: stored)
    let export = try GGUFExport(graph)
    let key = try #require(
      export.tensors.map(\.parameter).first { $0.name == "blk.1.attn_k.weight" })
    let source = RowSource(
      tensor: "model.layers.1.self_attn.k_proj.weight", rows: 0..<16,
      order: .interleaved(headSize: 8))
    #expect(key.recipe == Recipe(.rows([source])))
    #expect(key.type == .bf16)
    let norm = try #require(
      export.tensors.map(\.parameter).first { $0.name == "blk.0.attn_norm.weight" })
    #expect(norm.type == .f32)
    #expect(norm.recipe.type == .f32)
  }

  @Test("Llama 3's scaling becomes the factors of the reference")
  func llama3() throws {
    let want = try #require(try reference()["factors"]?.array).map { $0.double ?? 0 }
    let rotary = RotaryEmbedding(
      theta: 500000, scaling: .llama3(factor: 32, low: 1, high: 4, originalContext: 8192))
    let got = GGUFRotary.factors(rotary, headSize: 64)
    #expect(got.count == want.count)
    // The reference computes in float32.
    #expect(zip(got, want).allSatisfy { abs($0 - $1) < 2e-6 * $1 })
  }
}
