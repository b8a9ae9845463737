import JSON

extension RotaryEmbedding {
  /// Reads `rope_theta` with `rope_scaling`, or their newer form `rope_parameters`.
  init(_ config: inout ConfigReader, defaultTheta: Double?) throws(ModelGraphError) {
    let newer = try config.object("rope_parameters")
    let older = try config.object("rope_scaling")
    var theta = try config.positive("rope_theta")
    var scaling = Scaling.none
    if let newer {
      var reader = ConfigReader(newer, scope: "rope_parameters.")
      let stated = try reader.positive("rope_theta")
      if let a = theta, let b = stated, a != b {
        throw ModelGraphError(.conflictingFields("rope_theta", "rope_parameters.rope_theta"))
      }
      theta = theta ?? stated
      scaling = try Self.scaling(&reader)
    }
    if let older {
      var reader = ConfigReader(older, scope: "rope_scaling.")
      if let stated = try reader.positive("rope_theta"), stated != theta {
        throw ModelGraphError(.conflictingFields("rope_theta", "rope_scaling.rope_theta"))
      }
      let stated = try Self.scaling(&reader)
      if newer != nil, stated != scaling {
        throw ModelGraphError(.conflictingFields("rope_parameters", "rope_scaling"))
      }
      scaling = stated
    }
    guard let theta = theta ?? defaultTheta else { throw config.missing("rope_theta") }
    self.init(theta: theta, scaling: scaling)
  }

  private static func scaling(_ reader: inout ConfigReader) throws(ModelGraphError) -> Scaling {
    let kind = try reader.string("rope_type", "type") ?? "default"
    let factor = try reader.positive("factor")
    if let share = try reader.positive("partial_rotary_factor"), share != 1 {
      throw unsupported(reader, "partial_rotary_factor")
    }
    let scaling: Scaling
    switch kind {
    case "default": return .none
    case "linear":
      guard let factor else { throw reader.missing("factor") }
      scaling = .linear(factor: factor)
    case "llama3":
      guard let factor else { throw reader.missing("factor") }
      guard let low = try reader.positive("low_freq_factor") else {
        throw reader.missing("low_freq_factor")
      }
      guard let high = try reader.positive("high_freq_factor") else {
        throw reader.missing("high_freq_factor")
      }
      guard let original = try reader.extent("original_max_position_embeddings") else {
        throw reader.missing("original_max_position_embeddings")
      }
      guard low < high else {
        throw ModelGraphError(
          .invalidValue(
            field: reader.scope + "low_freq_factor", value: "\(low)",
            rule: "less than high_freq_factor, \(high)"))
      }
      scaling = .llama3(factor: factor, low: low, high: high, originalContext: original)
    default:
      throw ModelGraphError(.unsupportedField(reader.scope + "rope_type", value: kind))
    }
    // What is left would have changed the frequencies or the attention's temperature.
    for member in reader.config.members
    where !member.value.isNull && !reader.read.contains(member.key) {
      throw unsupported(reader, member.key)
    }
    return scaling
  }

  private static func unsupported(_ reader: ConfigReader, _ key: String) -> ModelGraphError {
    let value = reader.config[key]?.text() ?? "null"
    return ModelGraphError(.unsupportedField(reader.scope + key, value: value))
  }
}
