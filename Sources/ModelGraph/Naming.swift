/// What the tensors of a model are called: a dialect of one family.
package struct Naming: Equatable, Sendable {
  package var embedding: String
  package var finalNorm: String
  package var head = "lm_head.weight"
  /// Before the name of a tensor of the injection.
  package var injection: String
  package var coreNorm: String
  /// Before the number of a block, by the part of the model it is in.
  package var groups: [BlockGroup: String]
  /// After the number of a block; norms have running numbers where their role has no name here.
  package var suffixes: [BlockRole: String]
  /// Roles that are one tensor each, and not one for each of their parts.
  package var fused: Set<BlockRole>
  /// Names in a block whose experts are packed, where these differ.
  var packedSuffixes: [BlockRole: String] = [:]

  /// The name of the injection's tensor that plays `role`.
  package func name(_ role: InjectionRole) -> String { injection + role.name }

  /// The name of the tensor that plays `role` in block `index` of `group`; nil when the dialect has
  /// no such tensor.
  ///
  /// - Parameters:
  ///   - expert: Number of the expert whose tensor it is.
  ///   - isPacked: Whether the block has the tensors of all experts as one.
  package func name(
    _ role: BlockRole, _ spec: BlockSpec, _ group: BlockGroup, _ index: Int, expert: Int? = nil,
    isPacked: Bool = false
  ) -> String? {
    if suffixes[role] == nil, let prefix = groups[group], let place = role.facts.place,
      let number = spec.norms.firstIndex(where: { $0.place == place })
    {
      return "\(prefix)\(index).norm_\(number + 1).weight"
    }
    if isPacked, let prefix = groups[group], let suffix = packedSuffixes[role] {
      return "\(prefix)\(index).\(suffix)"
    }
    guard let name = name(role, group, index), let expert else {
      return name(role, group, index)
    }
    return Self.put(expert, in: name)
  }

  /// The name with the number in the place that is marked for it.
  static func put(_ expert: Int, in name: String) -> String {
    guard let mark = name.firstIndex(of: Character(BlockRole.expertMark)) else { return name }
    return name[..<mark] + String(expert) + name[name.index(after: mark)...]
  }

  /// The same for a role whose name does not depend on the block's other parts.
  func name(_ role: BlockRole, _ group: BlockGroup, _ index: Int) -> String? {
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
  /// of ours for biases and for a norm after the core, which none of them has. Norms of a block are
  /// numbered in order of execution.
  package static let raven = Naming(
    embedding: "transformer.wte.weight", finalNorm: "transformer.ln_f.weight",
    injection: "transformer.", coreNorm: "transformer.core_norm.weight",
    groups: [
      .prelude: "transformer.prelude.", .core: "transformer.core_block.",
      .coda: "transformer.coda.",
    ],
    suffixes: Dictionary(
      uniqueKeysWithValues: BlockRole.allCases.compactMap { role in
        role.facts.raven.map { (role, $0) }
      }),
    fused: BlockRole.fused)

  /// The source family's names, blocks under `prelude.`, `core.` and `coda.`.
  package static func native(family: String) -> Naming? {
    Family.named(family).map { Naming(native: $0) }
  }

  /// The names of a source model, as Hugging Face folders have them.
  package static func source(family: String) -> Naming? {
    Family.named(family).map { Naming(source: $0) }
  }

  init(native family: Family) {
    self.init(
      embedding: "embed_tokens.weight", finalNorm: "norm.weight", injection: "",
      coreNorm: "core_norm.weight",
      groups: [.prelude: "prelude.", .core: "core.", .coda: "coda."],
      suffixes: family.suffixes, fused: family.fused, packedSuffixes: family.packedSuffixes)
  }

  init(source family: Family) {
    self.init(
      embedding: "model.embed_tokens.weight", finalNorm: "model.norm.weight", injection: "",
      coreNorm: "", groups: [.layers: "model.layers.", .core: "model.layers."],
      suffixes: family.suffixes,
      fused: family.fused, packedSuffixes: family.packedSuffixes)
  }
}

extension Family {
  fileprivate var suffixes: [BlockRole: String] {
    Dictionary(uniqueKeysWithValues: BlockRole.allCases.map { ($0, name($0)) })
  }

  /// Packed experts and their router are called the same in every family.
  fileprivate var packedSuffixes: [BlockRole: String] {
    [BlockRole.router: BlockRole.router.facts.native]
  }
}
