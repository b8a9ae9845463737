import JSON
import Tensors

/// What GGUF files call the tensors and hyper-parameters of one family.
struct GGUFDialect {
  let family: Family
  let facts: GGUFFamily

  /// The dialect of a file with this metadata; nil when no family maps its architecture. Mistral's is
  /// called `mistral` by some writers, and Llama's by llama.cpp.
  init?(architecture: String, metadata: JSONObject = [:]) {
    let found =
      Family.all.last {
        $0.gguf?.architecture == architecture && $0.gguf?.claims(metadata) ?? false
      } ?? Family.named(architecture)
    guard let family = found, var facts = family.gguf, facts.isRead else { return nil }
    facts.architecture = architecture
    self.family = family
    self.facts = facts
  }

  /// The dialect in which a model of the family `modelType` is written; nil where none is.
  init?(modelType: String) {
    guard let family = Family.named(modelType), let facts = family.gguf else { return nil }
    self.family = family
    self.facts = facts
  }

  /// Values of `general.architecture` that are read.
  static var architectures: [String] {
    Set(Family.all.compactMap { $0.gguf?.architecture }).sorted()
  }

  /// Families that are written.
  static var written: [String] {
    Family.all.filter { $0.gguf != nil }.map(\.modelType).sorted()
  }

  /// Value of `general.architecture`, and the prefix of the hyper-parameters' keys.
  var architecture: String { facts.architecture }

  static let embedding = "token_embd.weight"
  static let finalNorm = "output_norm.weight"
  static let head = "output.weight"
  /// One factor for each rotary frequency, by which it is divided.
  static let rotaryFactors = "rope_freqs.weight"
  /// The same of LongRoPE, for short sequences and for long ones.
  static let shortFactors = "rope_factors_short.weight"
  static let longFactors = "rope_factors_long.weight"

  /// Tensors that stand for hyper-parameters.
  var constants: [String] {
    [Self.rotaryFactors] + (family.turnsPartOfHeads ? [Self.shortFactors, Self.longFactors] : [])
  }

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

  /// Projections that are one tensor. A family that is read as another has those of that.
  var fused: Set<BlockRole> { facts.isRead ? family.fused : [] }

  /// The roles that the file may have names for. Matrices of experts are one tensor for all of them,
  /// `[E, rows, columns]`, where folders have one for each, or gate and up together.
  private var roles: [BlockRole] {
    BlockRole.allCases.filter { role in
      if let whole = role.facts.fusedInto { return !fused.contains(whole) }
      return !role.facts.isPacked && (!role.facts.isFused || fused.contains(role))
    }
  }

  enum Part {
    case embedding
    case finalNorm
    case head
    case block(Int, BlockRole)

    var isNorm: Bool {
      switch self {
      case .finalNorm: true
      case .block(_, let role): role.facts.isNorm
      default: false
      }
    }
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

  /// The name of one expert's tensor.
  func name(_ role: BlockRole, _ index: Int, expert: Int) -> String? {
    name(role, .layers, index).map { Self.put(expert, in: $0) }
  }
}
