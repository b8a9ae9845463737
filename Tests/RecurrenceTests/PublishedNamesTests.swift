import ByteIO
import JSON
import ModelGraph
import Tensors
import Testing

@testable import Recurrence

/// Names and shapes that the published modelling code of retrofits gives its parameters, as a table
/// of its own: key by key what `torch.nn.Module.state_dict` of that code has.
@Suite("names of the published retrofits")
struct PublishedNamesTests {
  /// A golden source, and what its configuration says.
  struct Case: CustomTestStringConvertible {
    var name: String
    var hidden: Int
    var intermediate: Int
    var heads: Int
    var keyValueHeads: Int
    var headWidth: Int
    var vocabulary: Int
    /// Widths of the norms of all queries and all keys; nil where the family has none.
    var normWidths: (query: Int, key: Int)?
    var hasBias = false
    var testDescription: String { name }
  }

  static let cases = [
    Case(
      name: "tiny-llama", hidden: 32, intermediate: 88, heads: 4, keyValueHeads: 2, headWidth: 8,
      vocabulary: 96),
    Case(
      name: "tiny-llama3-rope", hidden: 32, intermediate: 64, heads: 2, keyValueHeads: 1,
      headWidth: 16, vocabulary: 80),
    Case(
      name: "tiny-olmo2", hidden: 32, intermediate: 80, heads: 4, keyValueHeads: 2, headWidth: 8,
      vocabulary: 100, normWidths: (32, 16)),
    // Not published, but in the same names.
    Case(
      name: "tiny-qwen2", hidden: 32, intermediate: 80, heads: 4, keyValueHeads: 2, headWidth: 8,
      vocabulary: 96, hasBias: true),
    Case(
      name: "tiny-qwen3", hidden: 32, intermediate: 80, heads: 4, keyValueHeads: 2, headWidth: 16,
      vocabulary: 96, normWidths: (16, 16)),
  ]

  private func table(_ model: Case, tied: Bool) -> [String: [Int]] {
    let (h, m, v) = (model.hidden, model.intermediate, model.vocabulary)
    let fused = (model.heads + 2 * model.keyValueHeads) * model.headWidth
    var table = [
      "transformer.wte.weight": [v, h], "transformer.ln_f.weight": [h],
      "transformer.adapter.weight": [h, 2 * h],
    ]
    if !tied { table["lm_head.weight"] = [v, h] }
    for (group, count) in [("prelude", 2), ("core_block", 3), ("coda", 1)] {
      for j in 0..<count {
        let block = "transformer.\(group).\(j)."
        table[block + "attn.Wqkv.weight"] = [fused, h]
        table[block + "attn.proj.weight"] = [h, model.heads * model.headWidth]
        table[block + "mlp.fc.weight"] = [2 * m, h]
        table[block + "mlp.proj.weight"] = [h, m]
        table[block + "norm_1.weight"] = [h]
        table[block + "norm_2.weight"] = [h]
        if model.hasBias { table[block + "attn.Wqkv.bias"] = [fused] }
        guard let widths = model.normWidths else { continue }
        table[block + "attn.q_norm.weight"] = [widths.query]
        table[block + "attn.k_norm.weight"] = [widths.key]
      }
    }
    return table
  }

  @Test("every key and shape, and no other", arguments: cases, [false, true])
  func keys(model: Case, tied: Bool) throws {
    let (source, _) = try open(model.name + "/source")
    var options = RetrofitOptions(
      selection: try LayerSelection("0-1/3,5-6/7", of: source.blocks.count))
    options.head = tied ? .tied : .untied
    let plan = try RetrofitPlan(source, options)
    let found = Dictionary(
      plan.parameters.map { ($0.name.string, $0.shape) }, uniquingKeysWith: { first, _ in first })
    #expect(found.count == plan.parameters.count)
    #expect(found == table(model, tied: tied))
    #expect(plan.config["tie_embeddings"]?.bool == tied)
  }

  /// What stands in each tensor, row by row: published rule beside the source's name.
  @Test("each tensor is made of the source's rows in the published order", arguments: cases)
  func rows(model: Case) throws {
    let (source, _) = try open(model.name + "/source")
    let plan = try RetrofitPlan(
      source,
      RetrofitOptions(selection: try LayerSelection("0-1/3,5-6/7", of: source.blocks.count)))
    func parts(_ name: String) throws -> [String] {
      let parameter = try #require(plan.parameters.first { $0.name.string == name })
      return parameter.recipe.sources.map(\.tensor.string)
    }
    // The core's second layer is the source's fifth.
    let (block, layer) = ("transformer.core_block.1.", "model.layers.5.")
    #expect(
      try parts(block + "attn.Wqkv.weight")
        == ["q", "k", "v"].map { layer + "self_attn.\($0)_proj.weight" })
    #expect(try parts(block + "attn.proj.weight") == [layer + "self_attn.o_proj.weight"])
    #expect(
      try parts(block + "mlp.fc.weight")
        == ["gate", "up"].map { layer + "mlp.\($0)_proj.weight" })
    #expect(try parts(block + "mlp.proj.weight") == [layer + "mlp.down_proj.weight"])
    let isAfter = model.name == "tiny-olmo2"
    #expect(
      try parts(block + "norm_1.weight")
        == [layer + (isAfter ? "post_attention_layernorm" : "input_layernorm") + ".weight"])
    #expect(
      try parts(block + "norm_2.weight")
        == [layer + (isAfter ? "post_feedforward" : "post_attention") + "_layernorm.weight"])
    #expect(try parts("transformer.wte.weight") == ["model.embed_tokens.weight"])
    #expect(try parts("transformer.ln_f.weight") == ["model.norm.weight"])
    let head = source.head == nil ? "model.embed_tokens.weight" : "lm_head.weight"
    #expect(try parts("lm_head.weight") == [head])
    #expect(try parts("transformer.adapter.weight").isEmpty)
  }
}
