/// What the tensors of a model are called: a dialect of one family.
package struct Naming: Equatable, Sendable {
  package var embedding: String
  package var finalNorm: String
  package var head = "lm_head.weight"
  package var adapter: String
  package var coreNorm: String
  /// Before the number of a block, by the part of the model it is in.
  package var groups: [BlockGroup: String]
  /// After the number of a block.
  package var suffixes: [BlockRole: String]
  /// Whether query, key, value and gate, up are one tensor each.
  package var isFused: Bool

  /// The name of the tensor that plays `role` in block `index` of `group`; nil when the dialect has
  /// no such tensor.
  package func name(_ role: BlockRole, _ group: BlockGroup, _ index: Int) -> String? {
    guard let prefix = groups[group], let suffix = suffixes[role] else { return nil }
    return "\(prefix)\(index).\(suffix)"
  }
}

/// The part of a model a block is in.
package enum BlockGroup: String, CaseIterable, Sendable {
  /// The only part of a source model.
  case layers
  case prelude
  case core
  case coda
}

extension Naming {
  /// The names of the published retrofits (`formats/recurrent-package.md` lists them), with names
  /// of ours for biases and for a norm after the core, which none of them has.
  package static let raven = Naming(
    embedding: "transformer.wte.weight", finalNorm: "transformer.ln_f.weight",
    adapter: "transformer.adapter.weight", coreNorm: "transformer.core_norm.weight",
    groups: [
      .prelude: "transformer.prelude.", .core: "transformer.core_block.",
      .coda: "transformer.coda.",
    ],
    suffixes: [
      .attentionNorm: "norm_1.weight", .mlpNorm: "norm_2.weight",
      .queryKeyValue: "attn.Wqkv.weight", .queryKeyValueBias: "attn.Wqkv.bias",
      .queryNorm: "attn.q_norm.weight", .keyNorm: "attn.k_norm.weight",
      .output: "attn.proj.weight", .outputBias: "attn.proj.bias",
      .gateUp: "mlp.fc.weight", .gateUpBias: "mlp.fc.bias",
      .down: "mlp.proj.weight", .downBias: "mlp.proj.bias",
    ],
    isFused: true)

  /// The source family's names, blocks under `prelude.`, `core.` and `coda.`.
  package static func native(family: String) -> Naming? {
    guard let family = Family.named(family) else { return nil }
    return Naming(
      embedding: "embed_tokens.weight", finalNorm: "norm.weight", adapter: "adapter.weight",
      coreNorm: "core_norm.weight",
      groups: [.prelude: "prelude.", .core: "core.", .coda: "coda."], suffixes: family.suffixes,
      isFused: false)
  }

  /// The names of a source model, as Hugging Face folders have them.
  package static func source(family: String) -> Naming? {
    guard let family = Family.named(family) else { return nil }
    return Naming(
      embedding: "model.embed_tokens.weight", finalNorm: "model.norm.weight", adapter: "",
      coreNorm: "", groups: [.layers: "model.layers."], suffixes: family.suffixes, isFused: false)
  }
}

extension Family {
  static func named(_ modelType: String) -> Family? {
    all.first { $0.modelTypes.contains(modelType) }
  }
}
