import JSON
import Platform
import Tensors

/// How GGUF files scale the rotary frequencies, as `rope_scaling` of a Hugging Face configuration.
///
/// Llama 3.1's scaling is stored as its result alone, a factor for each frequency. Its parameters
/// are found again by trying the published ones, and accepted only when they give these factors.
enum GGUFRotary {
  /// - Parameters:
  ///   - metadata: The hyper-parameters; what is read is noted there.
  ///   - prefix: The architecture with a dot.
  ///   - factors: Values of `rope_freqs.weight`, if the file has it: `[headSize / 2]`.
  static func scaling(
    _ metadata: inout ConfigReader, prefix: String, factors: [Float]?, theta: Double, headSize: Int
  ) throws(ModelGraphError) -> JSONObject? {
    let kind = try metadata.string(prefix + "rope.scaling.type")
    let stated = try metadata.positive(prefix + "rope.scaling.factor", prefix + "rope.scale_linear")
    let original = try metadata.extent(prefix + "rope.scaling.original_context_length")
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
        .unsupportedField(prefix + "rope.scaling.type", value: JSONValue.string(kind).text()))
    }
    var scaling: JSONObject = ["rope_type": .string(kind)]
    if let stated { scaling["factor"] = JSONValue(stated) }
    guard kind == "yarn" else { return scaling }
    if let original { scaling["original_max_position_embeddings"] = JSONValue(original) }
    for key in ["beta_fast", "beta_slow"] {
      let value = try metadata.positive(prefix + "rope.scaling.yarn_" + key)
      if let value { scaling[key] = JSONValue(value) }
    }
    return scaling
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
