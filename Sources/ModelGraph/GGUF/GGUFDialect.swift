import Tensors

/// What GGUF files call the tensors and hyper-parameters of one family.
struct GGUFDialect {
  let family: Family
  private let facts: GGUFFamily

  /// The dialect of a file that names its architecture; nil when no family maps it. Mistral's is
  /// called `mistral` by some writers, and Llama's by llama.cpp.
  init?(architecture: String) {
    let found =
      Family.all.first { $0.gguf?.architecture == architecture } ?? Family.named(architecture)
    guard let family = found, var facts = family.gguf else { return nil }
    facts.architecture = architecture
    self.family = family
    self.facts = facts
  }

  /// The dialect in which a model of the family `modelType` is written.
  init?(modelType: String) {
    guard let family = Family.named(modelType), let facts = family.gguf else { return nil }
    self.family = family
    self.facts = facts
  }

  /// Value of `general.architecture`, and the prefix of the hyper-parameters' keys.
  var architecture: String { facts.architecture }

  static let embedding = "token_embd.weight"
  static let finalNorm = "output_norm.weight"
  static let head = "output.weight"
  /// One factor for each rotary frequency, by which it is divided.
  static let rotaryFactors = "rope_freqs.weight"

  /// Whether the file has the rows of this tensor in the order of interleaved RoPE, head by head.
  func isInterleaved(_ role: BlockRole) -> Bool {
    facts.isInterleaved && [.query, .key, .queryBias, .keyBias].contains(role)
  }

  /// The part the tensor `name` plays, if it is one of the dialect's.
  func part(of name: String) -> Part? {
    switch name {
    case Self.embedding: return .embedding
    case Self.finalNorm: return .finalNorm
    case Self.head: return .head
    default:
      let pieces = name.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
      guard pieces.count == 3, pieces[0] == "blk", let index = Int(pieces[1]), index >= 0,
        String(index) == pieces[1],
        let role = roles.first(where: { $0.facts.gguf == pieces[2] })
      else { return nil }
      return .block(index, role)
    }
  }

  /// The roles that the file may have names for.
  private var roles: [BlockRole] {
    BlockRole.allCases.filter { role in
      if let whole = role.facts.fusedInto { return !family.fused.contains(whole) }
      return !role.facts.isFused || family.fused.contains(role)
    }
  }

  enum Part {
    case embedding
    case finalNorm
    case head
    case block(Int, BlockRole)
  }
}

extension Naming {
  /// The name of the tensor that plays `part` in a source model.
  func name(_ part: GGUFDialect.Part) -> String? {
    switch part {
    case .embedding: embedding
    case .finalNorm: finalNorm
    case .head: head
    case .block(let index, let role): name(role, .layers, index)
    }
  }
}
