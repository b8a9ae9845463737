/// What there is to know of a role: extents, names, and what others do with such a tensor.
package struct RoleFacts: Sendable {
  /// An extent of a tensor, by what decides it.
  package enum Extent: Sendable {
    case hidden
    /// heads · headSize.
    case queries
    /// keyValueHeads · headSize.
    case keys
    /// Queries, keys and values together.
    case fused
    /// Queries and keys, `[2, 1, heads, headSize]`.
    case queriesAndKeys
    case intermediate
    case twoIntermediates
    /// E, the number of experts.
    case experts
    /// m of one expert.
    case expertWidth
    case twoExpertWidths
    /// One head's width, or that of all queries; of all keys.
    case queryNorm
    case keyNorm
  }

  /// When a block has the tensor.
  package enum Presence: Sendable {
    case always
    case norm(BlockNorm.Place)
    case queryKeyNorm
    case queryKeyValueBias
    case queryKeyBias
    case outputBias
    case mlpBias
    /// Where one MLP serves all tokens.
    case oneMLP
    /// Where tokens choose among several.
    case experts
  }

  package let rows: Extent
  /// Nil for a vector.
  package let columns: Extent?
  package let presence: Presence
  /// After the number of a block, in most families of Hugging Face folders.
  package let native: String
  /// The same in the published retrofits; nil for parts of a tensor that is fused there, and for
  /// norms, which have running numbers.
  package let raven: String?
  package let gguf: String
  /// The role of the tensor whose rows these are, where projections are fused.
  package let fusedInto: BlockRole?
  /// Whether the role stands for several others.
  package let isFused: Bool
  /// Number in the seeds of low-rank factors; nil where there are none.
  package let lowRank: Int?
  /// Whether the role is one tensor for all experts, `[E, rows, columns]`.
  package var isPacked = false

  /// Whether Muon may update the tensor.
  package var isMatrix: Bool { columns != nil }

  package var isNorm: Bool {
    switch presence {
    case .norm, .queryKeyNorm: true
    default: false
    }
  }

  /// The place of a norm on the stream; nil for anything else.
  package var place: BlockNorm.Place? {
    if case .norm(let place) = presence { place } else { nil }
  }
}

// MARK: The kinds of lines in the table

extension RoleFacts {
  /// A norm of the stream.
  static func norm(_ place: BlockNorm.Place, _ native: String, gguf: String) -> RoleFacts {
    RoleFacts(
      rows: .hidden, columns: nil, presence: .norm(place), native: native, raven: nil, gguf: gguf,
      fusedInto: nil, isFused: false, lowRank: nil)
  }

  /// A matrix by itself.
  static func whole(
    _ rows: Extent, _ columns: Extent, _ native: String, raven: String, gguf: String,
    isFused: Bool = false, lowRank: Int? = nil, _ presence: Presence = .always
  ) -> RoleFacts {
    RoleFacts(
      rows: rows, columns: columns, presence: presence, native: native, raven: raven, gguf: gguf,
      fusedInto: nil, isFused: isFused, lowRank: lowRank)
  }

  /// A matrix that is some rows of a fused one.
  static func part(
    _ whole: BlockRole, _ rows: Extent, _ native: String, gguf: String, lowRank: Int,
    _ presence: Presence = .always
  ) -> RoleFacts {
    RoleFacts(
      rows: rows, columns: .hidden, presence: presence, native: native, raven: nil, gguf: gguf,
      fusedInto: whole, isFused: false, lowRank: lowRank)
  }

  /// A matrix of one expert; its number stands for the mark in the names.
  static func expert(
    _ packed: BlockRole, _ rows: Extent, _ columns: Extent, _ name: String, gguf: String,
    lowRank: Int
  ) -> RoleFacts {
    let native = "mlp.experts.\(BlockRole.expertMark)." + name
    return RoleFacts(
      rows: rows, columns: columns, presence: .experts, native: native, raven: native, gguf: gguf,
      fusedInto: packed, isFused: false, lowRank: lowRank)
  }

  /// The matrices of all experts.
  static func packed(
    _ rows: Extent, _ columns: Extent, _ name: String, gguf: String
  ) -> RoleFacts {
    RoleFacts(
      rows: rows, columns: columns, presence: .experts, native: "mlp.experts." + name,
      raven: "mlp.experts." + name, gguf: gguf, fusedInto: nil, isFused: false, lowRank: nil,
      isPacked: true)
  }

  static func bias(
    _ presence: Presence, _ rows: Extent, _ native: String, raven: String, gguf: String,
    isFused: Bool = false
  ) -> RoleFacts {
    RoleFacts(
      rows: rows, columns: nil, presence: presence, native: native, raven: raven, gguf: gguf,
      fusedInto: nil, isFused: isFused, lowRank: nil)
  }

  static func biasPart(
    _ whole: BlockRole, _ rows: Extent, _ native: String, gguf: String
  ) -> RoleFacts {
    RoleFacts(
      rows: rows, columns: nil,
      presence: whole == .gateUpBias ? .mlpBias : .queryKeyValueBias, native: native, raven: nil,
      gguf: gguf, fusedInto: whole, isFused: false, lowRank: nil)
  }

  static func queryKeyNorm(
    _ rows: Extent, _ native: String, raven: String, gguf: String
  ) -> RoleFacts {
    RoleFacts(
      rows: rows, columns: nil, presence: .queryKeyNorm, native: native, raven: raven, gguf: gguf,
      fusedInto: nil, isFused: false, lowRank: nil)
  }
}

// MARK: Lookups

extension BlockRole {
  /// The roles that this one stands for, by rows in this order; empty unless it is fused.
  package var parts: [BlockRole] { Self.allCases.filter { $0.facts.fusedInto == self } }

  /// The roles that stand for several.
  package static let fused = Set(allCases.filter(\.facts.isFused))

  /// The roles that are one tensor for all experts.
  package static let packed = Set(allCases.filter(\.facts.isPacked))

  /// The roles that a block has in memory, where projections are fused.
  package static let canonical = allCases.filter { $0.facts.fusedInto == nil }
}

extension BlockSpec {
  /// The tensors that a block of this spec has, in the order of `BlockRole`.
  ///
  /// - Parameter fused: Roles that are one tensor each, and not one for each of their parts, the
  ///   packed ones among them.
  package func roles(fused: Set<BlockRole>) -> [BlockRole] {
    BlockRole.allCases.filter { role in
      let facts = role.facts
      if facts.isFused || facts.isPacked, !fused.contains(role) { return false }
      if let whole = facts.fusedInto, fused.contains(whole) { return false }
      return switch facts.presence {
      case .always: true
      case .norm(let place): norm(place) != nil
      case .queryKeyNorm: attention.queryKeyNorm != nil
      case .queryKeyValueBias: attention.queryKeyValueBias
      case .queryKeyBias: attention.queryKeyBias
      case .outputBias: attention.outputBias
      case .mlpBias: mlp.bias
      case .oneMLP: mlp.experts == nil
      case .experts: mlp.experts != nil
      }
    }
  }

  /// The shape of the tensor that plays `role`.
  package func shape(of role: BlockRole, _ sizes: ModelSizes) -> [Int] {
    if role == .queryKeyBias { return [2, 1, sizes.heads, sizes.headSize] }
    let shape = [role.facts.rows, role.facts.columns].compactMap { $0.map { extent($0, sizes) } }
    return role.facts.isPacked ? [mlp.experts?.count ?? 0] + shape : shape
  }

  private func extent(_ extent: RoleFacts.Extent, _ sizes: ModelSizes) -> Int {
    let isByHead = attention.queryKeyNorm?.extent == .head
    return switch extent {
    case .hidden: sizes.hidden
    case .queries: sizes.queryWidth
    case .keys: sizes.keyValueWidth
    case .fused: sizes.queryWidth + 2 * sizes.keyValueWidth
    case .queriesAndKeys: sizes.queryWidth + sizes.keyValueWidth
    case .intermediate: sizes.intermediate
    case .twoIntermediates: 2 * sizes.intermediate
    case .experts: mlp.experts?.count ?? 0
    case .expertWidth: mlp.experts?.width ?? 0
    case .twoExpertWidths: 2 * (mlp.experts?.width ?? 0)
    case .queryNorm: isByHead ? sizes.headSize : sizes.queryWidth
    case .keyNorm: isByHead ? sizes.headSize : sizes.keyValueWidth
    }
  }
}
