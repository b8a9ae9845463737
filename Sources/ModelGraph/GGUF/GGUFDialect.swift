import Tensors

/// What GGUF files call the tensors and hyper-parameters of one family.
struct GGUFDialect {
  /// Value of `general.architecture`, and the prefix of the hyper-parameters' keys.
  let architecture: String
  let family: Family

  /// The dialect of a file that names its architecture; nil when no family maps it.
  init?(architecture: String) {
    guard let family = Family.named(architecture) else { return nil }
    self.architecture = architecture
    self.family = family
  }

  /// The dialect in which a model of the family `modelType` is written: Mistral's is Llama's.
  init?(modelType: String) {
    guard let family = Family.named(modelType) else { return nil }
    architecture = modelType == "mistral" ? "llama" : modelType
    self.family = family
  }

  static let embedding = "token_embd.weight"
  static let finalNorm = "output_norm.weight"
  static let head = "output.weight"
  /// One factor for each rotary frequency, by which it is divided.
  static let rotaryFactors = "rope_freqs.weight"

  /// Names inside a block, after `blk.N.`.
  var suffixes: [BlockRole: String] {
    let isBefore = family.norms == .before
    return [
      .attentionNorm: isBefore ? "attn_norm.weight" : "post_attention_norm.weight",
      .query: "attn_q.weight", .queryBias: "attn_q.bias", .queryNorm: "attn_q_norm.weight",
      .key: "attn_k.weight", .keyBias: "attn_k.bias", .keyNorm: "attn_k_norm.weight",
      .value: "attn_v.weight", .valueBias: "attn_v.bias",
      .output: "attn_output.weight", .outputBias: "attn_output.bias",
      .mlpNorm: isBefore ? "ffn_norm.weight" : "post_ffw_norm.weight",
      .gate: "ffn_gate.weight", .gateBias: "ffn_gate.bias",
      .up: "ffn_up.weight", .upBias: "ffn_up.bias",
      .down: "ffn_down.weight", .downBias: "ffn_down.bias",
    ]
  }

  /// Whether the file has the rows of this tensor in the order of interleaved RoPE, head by head.
  func isInterleaved(_ role: BlockRole) -> Bool {
    guard architecture == "llama" || architecture == "mistral" else { return false }
    return [.query, .key, .queryBias, .keyBias].contains(role)
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
        let role = suffixes.first(where: { $0.value == pieces[2] })?.key
      else { return nil }
      return .block(index, role)
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
