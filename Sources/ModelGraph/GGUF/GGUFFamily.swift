import JSON

/// How GGUF files have a model family.
struct GGUFFamily: Sendable {
  /// Value of `general.architecture`, and the prefix of the hyper-parameters' keys.
  var architecture: String
  /// Whether the rows of queries and keys are in the order of interleaved RoPE, head by head.
  var isInterleaved = false
  /// What writers add to the weight of every norm.
  var normOffset: Float = 0
  /// A hyper-parameter whose value, if it is not zero, tells the family from others of its
  /// architecture.
  var mark: String?
  /// Whether files are read as the family; not where another one computes the same.
  var isRead = true
  /// Whether a head that is not the embedding may be stored.
  var hasHead = true
  /// Keys that its files have even where they say what their absence would.
  var stated: Set<String> = ["rope.freq_base"]
  /// What there is beside the hyper-parameters of all families. What nobody reads is refused.
  var fields: [GGUFField] = []

  /// Whether a file with these hyper-parameters may be of the family.
  func claims(_ metadata: JSONObject) -> Bool {
    guard let mark else { return isRead }
    let value = metadata[architecture + "." + mark]?.double ?? 0
    return isRead && value != 0
  }
}

extension Set<String> {
  /// What llama.cpp's converter of Llama states always, and those that are made of it.
  fileprivate static let llama: Self = ["rope.freq_base", "rope.dimension_count", "vocab_size"]
  fileprivate static let headSize: Self = ["attention.key_length", "attention.value_length"]
}

// What llama.cpp's own converter writes for each architecture, and what its loader takes for granted
// where a file is silent: `conversion/*.py` and `src/models/*.cpp` there.

extension GGUFFamily {
  /// Llama and what llama.cpp computes like it.
  static let llama = GGUFFamily(architecture: "llama", isInterleaved: true, stated: .llama)

  /// Mistral's windows, where a writer states one.
  static let mistral = GGUFFamily(
    architecture: "llama", isInterleaved: true, mark: GGUFField.windowKey, stated: .llama,
    fields: [.window(isWritten: false)])

  /// Llama's files with experts.
  static let mixtral = GGUFFamily(
    architecture: "llama", isInterleaved: true, mark: "expert_count", stated: .llama,
    fields: [.window(isWritten: false), .experts("num_local_experts")])

  /// A family with an architecture of its own, and nothing beside the hyper-parameters of all.
  static func of(_ architecture: String) -> GGUFFamily { GGUFFamily(architecture: architecture) }

  /// OLMo-2's architecture with windows.
  static let olmo3 = GGUFFamily(
    architecture: "olmo2", mark: GGUFField.windowKey,
    fields: [.windows(butEvery: 4, statesLayers: true), .positionsByKind])

  /// Every fourth layer knows no positions: no file says so.
  static let smollm3 = GGUFFamily(architecture: "smollm3", isInterleaved: true, stated: .llama)

  static let gemma = GGUFFamily(
    architecture: "gemma", normOffset: 1, hasHead: false, stated: .headSize,
    fields: [.implied("hidden_act", "gelu_pytorch_tanh")])

  static let gemma2 = GGUFFamily(
    architecture: "gemma2", normOffset: 1, hasHead: false, stated: .headSize,
    // The 27B model is known by its number of layers.
    fields: [
      .windows(butEvery: 2, isImplied: true), .headScale(byWidthAt: 46),
      .implied("hidden_activation", "gelu_pytorch_tanh"),
      .softcap("attn_logit_softcapping", silent: 50) { $0.first?.attention.softcap },
      .softcap("final_logit_softcapping", silent: 30) { $0.graph.spec.logitSoftcap },
    ])

  static let gemma3 = GGUFFamily(
    architecture: "gemma3", normOffset: 1, stated: .headSize.union(["rope.freq_base"]),
    fields: [
      .windows(butEvery: 6), .localBase, .headScale(byWidthAt: 62),
      .implied("hidden_activation", "gelu_pytorch_tanh"),
      .softcap("final_logit_softcapping") { $0.graph.spec.logitSoftcap },
    ])

  /// Granite 3, and Granite 4 without experts and state-space layers.
  static let granite = GGUFFamily(
    architecture: "granite", isInterleaved: true,
    stated: .llama.union([
      "attention.scale", "embedding_scale", "residual_scale", "logit_scale",
    ]),
    fields: [
      .factor(
        "attention.scale", "attention_multiplier", silent: { 1 / Double($0).squareRoot() },
        { $0.first?.attention.scale ?? 1 }),
      .factor(
        "embedding_scale", "embedding_multiplier", silent: { _ in 1 },
        { $0.graph.spec.embeddingMultiplier }),
      .factor(
        "residual_scale", "residual_multiplier", silent: { _ in 1 },
        { $0.first?.residualMultiplier ?? 1 }),
      .factor(
        "logit_scale", "logits_scaling", silent: { _ in 1 }, { $0.graph.spec.logitsDivisor }),
      .graniteRest,
    ])

  /// Written as Granite 3, which computes the same, and read as that.
  static let graniteHybrid = {
    var facts = granite
    facts.isRead = false
    return facts
  }()

  static let phi3 = GGUFFamily(
    architecture: "phi3",
    stated: ["rope.freq_base", "rope.dimension_count", GGUFField.windowKey],
    fields: [.window(), .longRoPE])

  /// The chosen weights always sum to one.
  static let qwen3MoE = GGUFFamily(
    architecture: "qwen3moe",
    fields: [
      .experts("num_experts", width: "moe_intermediate_size"), .implied("norm_topk_prob", true),
    ])

  static let olmoe = GGUFFamily(
    architecture: "olmoe",
    fields: [.experts("num_experts"), .implied("norm_topk_prob", false)])
}
