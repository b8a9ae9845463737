import JSON

/// What makes a model recurrent, under the names of the published retrofits.
struct RecurrenceSettings {
  /// Indices in the source model of the layers in prelude, core and coda.
  var sources: [[Int]]
  var injection: Injection.Kind
  /// Of a gated injection's matrices.
  var gateRank = 0
  var hasCoreNorm: Bool
  var stateStart: StateStart
  var meanRecurrence: Int
  var meanBackpropDepth: Int
  /// Names of tensors that go along, by their shapes: a gate that no pass here reads.
  var exitGate: [String] = []
  var normsLatent = false
}

extension RecurrenceSettings {
  init(
    _ config: inout ConfigReader, layers: Int, embeddingMultiplier: Double, normsLatent: Bool
  ) throws(ModelGraphError) {
    var counts: [Int] = []
    for key in ["n_layers_in_prelude", "n_layers_in_recurrent_block", "n_layers_in_coda"] {
      guard let count = try config.extent(key) else { throw config.missing(key) }
      counts.append(count)
    }
    guard counts.reduce(0, +) == layers else {
      throw ModelGraphError(
        .invalidValue(
          field: "num_hidden_layers", value: String(layers),
          rule: "\(counts.reduce(0, +)), the layers in prelude, core and coda"))
    }
    self.init(
      sources: try Self.sourceLayers(&config, counts), injection: try Self.injection(&config),
      hasCoreNorm: try config.bool("norm_after_core") ?? false,
      stateStart: try Self.stateStart(&config, embeddingMultiplier),
      meanRecurrence: try config.extent("mean_recurrence") ?? 1,
      meanBackpropDepth: try config.extent("mean_backprop_depth") ?? 8, normsLatent: normsLatent)
    if injection == .gated { try checkGate(&config) }
  }

  /// A gate takes the first state for the prelude's output, and the core's own for what it changes.
  private mutating func checkGate(_ config: inout ConfigReader) throws(ModelGraphError) {
    guard let rank = try config.extent("gate_rank") else { throw config.missing("gate_rank") }
    gateRank = rank
    if stateStart != .embedding {
      throw ModelGraphError(
        .invalidValue(
          field: "initial_state_mode", value: "random",
          rule: "embed-init, as injection_type is gated"))
    }
    if hasCoreNorm {
      throw ModelGraphError(
        .invalidValue(
          field: "norm_after_core", value: "true", rule: "false, as injection_type is gated"))
    }
  }

  private static func injection(
    _ config: inout ConfigReader
  ) throws(ModelGraphError) -> Injection.Kind {
    let name = try config.string("injection_type") ?? "linear"
    guard let injection = Injection.Kind(rawValue: name), injection != .carry else {
      throw ModelGraphError(.unsupportedField("injection_type", value: name))
    }
    return injection
  }

  /// `init_values.std` is the state's standard deviation, zero for a state of zeros;
  /// `initial_state_mode` can ask for the prelude's output instead.
  private static func stateStart(
    _ config: inout ConfigReader, _ embeddingMultiplier: Double
  ) throws(ModelGraphError) -> StateStart {
    var values = ConfigReader(try config.object("init_values") ?? [:], scope: "init_values.")
    // The same factor as the embedding's rows have, or none.
    let scale = try values.positive("embed_scale") ?? 1
    guard scale == 1 || scale == embeddingMultiplier else {
      throw ModelGraphError(.unsupportedField("init_values.embed_scale", value: "\(scale)"))
    }
    let mode = try config.string("initial_state_mode") ?? "random"
    let initial = try config.string("state_init") ?? "like-init"
    guard initial == "like-init" || initial == "zero" else {
      throw ModelGraphError(.unsupportedField("state_init", value: initial))
    }
    switch mode {
    case "embed-init": return .embedding
    case "random": break
    default: throw ModelGraphError(.unsupportedField("initial_state_mode", value: mode))
    }
    if initial == "zero" { return .zero }
    guard let field = try values.value("std") else { throw values.missing("std") }
    guard let deviation = field.value.double, deviation >= 0, deviation.isFinite else {
      throw ModelGraphError(
        .invalidValue(field: field.key, value: field.value.text(), rule: "zero or positive"))
    }
    return deviation == 0 ? .zero : .normal(standardDeviation: deviation * scale)
  }

  /// Indices in the source model, when the configuration has them; otherwise running numbers.
  private static func sourceLayers(
    _ config: inout ConfigReader, _ counts: [Int]
  ) throws(ModelGraphError) -> [[Int]] {
    guard let object = try config.object("source_layers") else {
      let starts = [0, counts[0], counts[0] + counts[1]]
      return zip(starts, counts).map { Array($0..<($0 + $1)) }
    }
    var lists: [[Int]] = []
    for (group, count) in zip(["prelude", "core", "coda"], counts) {
      let list = object[group]?.array?.compactMap(\.integer) ?? []
      guard list.count == count, list.allSatisfy({ $0 >= 0 }) else {
        throw ModelGraphError(
          .invalidValue(
            field: "source_layers.\(group)", value: object[group]?.text() ?? "absent",
            rule: "a list of \(count) layer numbers"))
      }
      lists.append(list)
    }
    return lists
  }
}

extension GraphReader {
  mutating func body(
    _ settings: RecurrenceSettings, _ plan: Architecture
  ) throws(ModelGraphError) -> RecurrentBody {
    let hidden = plan.sizes.hidden
    guard 2 * settings.gateRank <= hidden else {
      throw ModelGraphError(
        .invalidValue(
          field: "gate_rank", value: String(settings.gateRank),
          rule: "at most \(hidden / 2), half the hidden size"))
    }
    var injection = Injection(settings.injection)
    for role in injection.kind.roles {
      injection.parameters[role] = try take(
        plan.naming.name(role), role.shape(hidden: hidden, rank: settings.gateRank))
    }
    let (prelude, core, coda) = (settings.sources[0], settings.sources[1], settings.sources[2])
    var body = RecurrentBody(
      prelude: try blocks(plan, .prelude, first: 0, sources: prelude),
      core: try blocks(plan, .core, first: prelude.count, sources: core),
      coda: try blocks(plan, .coda, first: prelude.count + core.count, sources: coda),
      injection: injection,
      coreNorm: settings.hasCoreNorm ? try take(plan.naming.coreNorm, [hidden]) : nil,
      stateStart: settings.stateStart, meanRecurrence: settings.meanRecurrence,
      meanBackpropDepth: settings.meanBackpropDepth)
    body.normsLatent = settings.normsLatent
    for name in settings.exitGate {
      body.exitGate.append(try take(name, name.hasSuffix(".bias") ? [1] : [1, hidden]))
    }
    return body
  }
}
