import JSON
import Platform
import Tensors

/// How GGUF files scale the rotary frequencies, as `rope_scaling` of a Hugging Face configuration.
///
/// Llama 3.1's scaling is stored as its result alone, a factor for each frequency. Its parameters
/// are found again by trying the published ones, and accepted only when they give these factors.
enum GGUFRotary {
  private static let kind = "rope.scaling.type"
  private static let factor = "rope.scaling.factor"
  static let originalContext = "rope.scaling.original_context_length"
  private static let fast = "rope.scaling.yarn_beta_fast"
  private static let slow = "rope.scaling.yarn_beta_slow"

  /// - Parameters:
  ///   - metadata: The hyper-parameters; what is read is noted there.
  ///   - prefix: The architecture with a dot.
  ///   - factors: Values of `rope_freqs.weight`, if the file has it: `[headSize / 2]`.
  static func scaling(
    _ metadata: inout ConfigReader, prefix: String, factors: [Float]?, theta: Double, headSize: Int
  ) throws(ModelGraphError) -> JSONObject? {
    let kind = try metadata.string(prefix + kind)
    let stated = try metadata.positive(prefix + factor, prefix + "rope.scale_linear")
    let original = try metadata.extent(prefix + originalContext)
    if let factors, factors.contains(where: { $0 != 1 }) {
      let fitted = fit(factors, theta: theta, headSize: headSize, stated: original)
      guard let fitted, kind == nil || kind == "none", stated == nil else {
        throw ModelGraphError(
          .unsupportedField(GGUFDialect.rotaryFactors, value: "a scaling other than Llama 3.1's"))
      }
      return fitted
    }
    guard let kind = kind ?? (stated == nil ? nil : "linear"), kind != "none" else { return nil }
    guard kind == "linear" || kind == "yarn" else {
      throw ModelGraphError(
        .unsupportedField(prefix + Self.kind, value: JSONValue.string(kind).text()))
    }
    var scaling: JSONObject = ["rope_type": .string(kind)]
    if let stated { scaling["factor"] = JSONValue(stated) }
    guard kind == "yarn" else { return scaling }
    if let original { scaling["original_max_position_embeddings"] = JSONValue(original) }
    for (field, key) in [("beta_fast", fast), ("beta_slow", slow)] {
      if let value = try metadata.positive(prefix + key) { scaling[field] = JSONValue(value) }
    }
    return scaling
  }

  /// What is not stated here is a tensor, or cannot be said.
  static func write(_ scaling: RotaryEmbedding.Scaling, to entries: inout GGUFEntries) {
    switch scaling {
    case .linear(let factor):
      entries.set(kind, "linear")
      entries.set(self.factor, factor)
    case .llama3(_, _, _, let context): entries.set(originalContext, context)
    case .yarn(let yarn):
      entries.set(kind, "yarn")
      entries.set(factor, yarn.factor)
      entries.set(originalContext, yarn.originalContext)
      entries.set(fast, yarn.betaFast, unless: RotaryEmbedding.YaRN.usualFast)
      entries.set(slow, yarn.betaSlow, unless: RotaryEmbedding.YaRN.usualSlow)
    case .none, .dynamic, .longRoPE: break
    }
  }

  /// Tries the context that is stated, the published one, and then every power of two: contexts
  /// that give the same factors mean the same model.
  private static func fit(
    _ factors: [Float], theta: Double, headSize: Int, stated: Int?
  ) -> JSONObject? {
    guard factors.count == headSize / 2, let factor = factors.max(), factor.isFinite, factor >= 1
    else { return nil }
    let contexts = (stated.map { [$0] } ?? []) + [8192] + (4...20).map { 1 << $0 }
    let match = contexts.first { context in
      let scaling = RotaryEmbedding.Scaling.llama3(
        factor: Double(factor), low: 1, high: 4, originalContext: context)
      let wanted = self.factors(RotaryEmbedding(theta: theta, scaling: scaling), headSize: headSize)
      // The writers compute in float32.
      return zip(factors, wanted).allSatisfy { abs(Double($0) - $1) <= 1e-4 * $1 }
    }
    guard let match else { return nil }
    return [
      "rope_type": "llama3", "factor": JSONValue(factor), "low_freq_factor": 1.0,
      "high_freq_factor": 4.0, "original_max_position_embeddings": JSONValue(match),
    ]
  }

  /// The factors that `rotary` divides each frequency by, `[headSize / 2]`; ones when it scales
  /// nothing this way.
  ///
  /// Formula: Llama 3.1's `apply_scaling`.
  static func factors(_ rotary: RotaryEmbedding, headSize: Int) -> [Double] {
    (0..<headSize / 2).map { i in
      guard case .llama3(let factor, let low, let high, let context) = rotary.scaling else {
        return 1
      }
      let frequency = pow(rotary.theta, -2 * Double(i) / Double(headSize))
      let turns = Double(context) * frequency / (2 * Double.pi)
      if turns > high { return 1 }
      if turns < low { return factor }
      let smooth = (turns - low) / (high - low)
      return 1 / ((1 - smooth) / factor + smooth)
    }
  }
}
