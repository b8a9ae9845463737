import JSON
import Platform

extension FamilyReader {
  /// The rotary embedding of a layer in families whose windowed layers have one of their own:
  /// `rope_parameters` by kind of layer, or an older form whose scaling is for the other layers.
  ///
  /// - Parameters:
  ///   - full: Base of layers that see everything, where `rope_parameters` does not say.
  ///   - window: The same of windowed layers.
  mutating func rotary(
    of visible: AttentionSpec.Visible, full: Double, window: Double
  ) throws(ModelGraphError) -> RotaryEmbedding {
    let isFull = visible == .all
    let kind = isFull ? "full_attention" : "sliding_attention"
    let base = isFull ? full : window
    if let parameters = try config.object("rope_parameters") {
      guard parameters["full_attention"] != nil || parameters["sliding_attention"] != nil else {
        // Its class would pass over them.
        throw ModelGraphError(
          .unsupportedField("rope_parameters", value: JSONValue.object(parameters).text()))
      }
      let scope = "rope_parameters.\(kind)."
      var reader = ConfigReader(parameters[kind]?.object ?? [:], scope: scope)
      return try rotary(&reader, theta: try reader.positive("rope_theta") ?? base)
    }
    var reader = ConfigReader(
      isFull ? try config.object("rope_scaling") ?? [:] : [:], scope: "rope_scaling.")
    return try rotary(&reader, theta: base)
  }

  /// The rotary embedding of all layers: `rope_parameters`, or the older `rope_theta` with
  /// `rope_scaling`.
  mutating func rotary() throws(ModelGraphError) -> RotaryEmbedding {
    let newer = try config.object("rope_parameters")
    let scope = "rope_parameters."
    let older = try config.object("rope_scaling")
    let isStated = config.states("rope_theta")
    let theta = try config.positive("rope_theta")
    var result: RotaryEmbedding?
    if let newer {
      var reader = ConfigReader(newer, scope: scope)
      let own = try reader.positive("rope_theta")
      if isStated, let theta, let own, theta != own {
        throw ModelGraphError(.conflictingFields("rope_theta", scope + "rope_theta"))
      }
      guard let theta = own ?? theta else { throw reader.missing("rope_theta") }
      result = try rotary(&reader, theta: theta)
    }
    if let older {
      var reader = ConfigReader(older, scope: "rope_scaling.")
      let theta = result?.theta ?? theta
      if let own = try reader.positive("rope_theta"), own != theta {
        throw ModelGraphError(.conflictingFields("rope_theta", "rope_scaling.rope_theta"))
      }
      guard let theta else { throw config.missing("rope_theta") }
      let stated = try rotary(&reader, theta: theta)
      if let result, result != stated {
        throw ModelGraphError(.conflictingFields("rope_parameters", "rope_scaling"))
      }
      result = stated
    }
    if let result { return result }
    guard let theta else { throw config.missing("rope_theta") }
    return RotaryEmbedding(theta: theta, dimensions: try dimensions(nil))
  }

  /// Reads a set of parameters, all of whose members must be understood.
  private mutating func rotary(
    _ reader: inout ConfigReader, theta: Double
  ) throws(ModelGraphError) -> RotaryEmbedding {
    let dimensions = try dimensions(try reader.positive("partial_rotary_factor"))
    let rotary = RotaryEmbedding(
      theta: theta, scaling: try scaling(&reader, dimensions: dimensions ?? sizes.headSize),
      dimensions: dimensions)
    for member in reader.config.members
    where !member.value.isNull && !reader.read.contains(member.key) {
      throw ModelGraphError(
        .unsupportedField(reader.scope + member.key, value: member.value.text()))
    }
    return rotary
  }

  /// Values of a head that are turned; nil for all.
  private mutating func dimensions(_ own: Double?) throws(ModelGraphError) -> Int? {
    let share = try config.positive("partial_rotary_factor")
    if let own, let share, own != share {
      throw ModelGraphError(
        .conflictingFields("partial_rotary_factor", "rope_parameters.partial_rotary_factor"))
    }
    guard let share = own ?? share, share != 1 else { return nil }
    guard turnsPartOfHeads else {
      throw ModelGraphError(.unsupportedField("partial_rotary_factor", value: "\(share)"))
    }
    let count = Int((Double(sizes.headSize) * min(share, 2)).rounded(.down))
    guard share < 1, count >= 2, count % 2 == 0 else {
      throw ModelGraphError(
        .invalidValue(
          field: "partial_rotary_factor", value: "\(share)",
          rule: "a share of the head's \(sizes.headSize) values that is an even number of them"))
    }
    return count
  }

  private mutating func scaling(
    _ reader: inout ConfigReader, dimensions: Int
  ) throws(ModelGraphError) -> RotaryEmbedding.Scaling {
    let kind = try reader.string("rope_type", "type") ?? "default"
    let factor = try reader.positive("factor")
    func needed() throws(ModelGraphError) -> Double {
      guard let factor else { throw reader.missing("factor") }
      return factor
    }
    switch kind {
    case "default": return .none
    case "linear": return .linear(factor: try needed())
    case "dynamic":
      // Readers disagree on an original context of its own, so there must be none.
      return .dynamic(factor: try needed(), originalContext: sizes.context)
    case "llama3": return try llama3(&reader, factor: try needed())
    case "yarn": return try yarn(&reader, factor: try needed())
    case "longrope", "su": return try longRoPE(&reader, factor: factor, dimensions: dimensions)
    default: throw ModelGraphError(.unsupportedField(reader.scope + "rope_type", value: kind))
    }
  }

  /// A field of the whole configuration wins over the parameters' own; the context stands in for
  /// both.
  private mutating func originalContext(
    _ reader: inout ConfigReader
  ) throws(ModelGraphError) -> Int {
    let own = try reader.extent("original_max_position_embeddings")
    return try config.extent("original_max_position_embeddings") ?? own ?? sizes.context
  }

  private mutating func llama3(
    _ reader: inout ConfigReader, factor: Double
  ) throws(ModelGraphError) -> RotaryEmbedding.Scaling {
    guard let low = try reader.positive("low_freq_factor") else {
      throw reader.missing("low_freq_factor")
    }
    guard let high = try reader.positive("high_freq_factor") else {
      throw reader.missing("high_freq_factor")
    }
    guard low < high else {
      throw ModelGraphError(
        .invalidValue(
          field: reader.scope + "low_freq_factor", value: "\(low)",
          rule: "less than high_freq_factor, \(high)"))
    }
    return .llama3(
      factor: factor, low: low, high: high, originalContext: try originalContext(&reader))
  }

  private mutating func yarn(
    _ reader: inout ConfigReader, factor: Double
  ) throws(ModelGraphError) -> RotaryEmbedding.Scaling {
    let stated = try reader.positive("attention_factor")
    let numerator = try reader.number("mscale") ?? 0
    let denominator = try reader.number("mscale_all_dim") ?? 0
    /// The paper's section 3.4, with the weight that DeepSeek puts on it.
    func magnitude(_ weight: Double) -> Double { factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1 }
    let isRatio = numerator != 0 && denominator != 0
    return .yarn(
      RotaryEmbedding.YaRN(
        factor: factor, originalContext: try originalContext(&reader),
        betaFast: try reader.positive("beta_fast") ?? RotaryEmbedding.YaRN.usualFast,
        betaSlow: try reader.positive("beta_slow") ?? RotaryEmbedding.YaRN.usualSlow,
        isTruncated: try reader.bool("truncate") ?? true,
        magnitude: stated
          ?? (isRatio ? magnitude(numerator) / magnitude(denominator) : magnitude(1))))
  }

  private mutating func longRoPE(
    _ reader: inout ConfigReader, factor: Double?, dimensions: Int
  ) throws(ModelGraphError) -> RotaryEmbedding.Scaling {
    func factors(_ key: String) throws(ModelGraphError) -> [Double] {
      guard let values = try reader.numbers(key) else { throw reader.missing(key) }
      guard values.count == dimensions / 2, values.allSatisfy({ $0 > 0 }) else {
        throw ModelGraphError(
          .invalidValue(
            field: reader.scope + key, value: "a list of \(values.count)",
            rule: "\(dimensions / 2) positive numbers, one a pair"))
      }
      return values
    }
    let (short, long) = (try factors("short_factor"), try factors("long_factor"))
    let original = try originalContext(&reader)
    let stretch = factor ?? Double(sizes.context) / Double(original)
    let magnitude =
      stretch <= 1 || original <= 1 ? 1 : (1 + log(stretch) / log(Double(original))).squareRoot()
    return .longRoPE(
      RotaryEmbedding.LongRoPE(
        short: short, long: long, originalContext: original,
        magnitude: try reader.positive("attention_factor") ?? magnitude))
  }
}
