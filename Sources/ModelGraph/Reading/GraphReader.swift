import ByteIO
package import JSON
package import Tensors

extension ModelGraph {
  /// Recognises the model that `config` and a checkpoint's tensors describe: a source model of a
  /// supported family, a published retrofit, or a package of this tool in either dialect.
  ///
  /// Every tensor's shape is checked. A field or tensor that may change the numbers and is not
  /// understood is an error that names it.
  ///
  /// - Parameter ignored: Fields that the user says have no effect.
  package static func read(
    config: JSONObject, tensors: [TensorRecord], ignoring ignored: Set<String> = []
  ) throws(ModelGraphError) -> ModelGraph {
    try read(config: config, parameters: tensors.map(Parameter.init(stored:)), ignoring: ignored)
  }

  /// The same for tensors that are recipes already, named as in Hugging Face folders: a GGUF file's,
  /// after translation.
  package static func read(
    config: JSONObject, parameters: [Parameter], ignoring ignored: Set<String> = []
  ) throws(ModelGraphError) -> ModelGraph {
    let part = try TextPart(config, ignoring: ignored)
    var reader = GraphReader(
      table: try TensorTable(parameters), ignored: ignored, otherParts: part?.otherParts ?? [])
    return try reader.graph(part?.config ?? config, tensorCount: parameters.count)
  }
}

extension Parameter {
  /// The whole of a stored tensor under its own name; quantised blocks are decoded to float32.
  package init(stored record: TensorRecord) {
    let type: ElementType = if case .element(let type) = record.type { type } else { .f32 }
    self.init(
      name: record.name, shape: record.shape, type: type,
      recipe: .copy(record.name, rows: record.shape.first ?? 1))
  }
}

/// Puts a graph together from a configuration and a table of tensors.
struct GraphReader {
  var table: TensorTable
  let ignored: Set<String>
  /// Beginnings of the names of tensors that are not the decoder's.
  let otherParts: [String]
  /// Whether there are no tensors to be found: those of the graph are stand-ins.
  let isUntrained: Bool
  private var missing: [String] = []

  init(
    table: TensorTable, ignored: Set<String>, otherParts: [String], isUntrained: Bool = false
  ) {
    self.table = table
    self.otherParts = otherParts
    self.ignored = ignored
    self.isUntrained = isUntrained
  }

  mutating func graph(
    _ object: JSONObject, tensorCount: Int
  ) throws(ModelGraphError) -> ModelGraph {
    let plan = try architecture(object, tensorCount: tensorCount)
    let (naming, sizes) = (plan.naming, plan.sizes)
    let embedding = try take(naming.embedding, [sizes.vocabulary, sizes.hidden])
    let finalNorm = try take(naming.finalNorm, [sizes.hidden])
    let hasHead = !plan.isTied || table.contains(naming.head)
    let head = hasHead ? try take(naming.head, [sizes.vocabulary, sizes.hidden]) : nil
    let body: ModelGraph.Body =
      if let recurrence = plan.recurrence { .recurrent(try self.body(recurrence, plan)) } else {
        .plain(try blocks(plan, .layers, first: 0, sources: Array(plan.blocks.indices)))
      }
    if !missing.isEmpty, !isUntrained { throw ModelGraphError(.missingTensors(missing)) }
    var leftovers = table.leftovers
    let count = leftovers.count
    leftovers.removeAll { name in
      otherParts.contains { TensorTable.bare(name).hasPrefix($0) }
    }
    let others = count - leftovers.count
    if plan.kind == .raven, plan.blocks.allSatisfy({ $0.norms.count == 2 }) {
      leftovers.removeAll(where: Self.isTemplate)
    }
    guard leftovers.isEmpty else { throw ModelGraphError(.leftoverTensors(leftovers)) }
    var graph = ModelGraph(
      family: plan.family.modelType, sizes: sizes, spec: plan.spec, embedding: embedding,
      finalNorm: finalNorm, head: head, body: body,
      config: JSONObject(object.members.filter { !plan.ignored.contains($0.key) }))
    graph.saysTied = plan.isTied
    graph.notes = notes(ignored: plan.ignored)
    if others > 0 {
      graph.notes.append(
        Warning(
          "model.other_parts",
          "\(others) tensors of the model's other parts, such as its vision tower, are not copied"
        ))
    }
    return graph
  }

  /// Reads every field; looks at tensors only where they tell what the fields leave open.
  mutating func architecture(
    _ object: JSONObject, tensorCount: Int
  ) throws(ModelGraphError) -> Architecture {
    let (family, kind) = try identity(object)
    let rules = kind.rules(family)
    var config = ConfigReader(
      object, defaults: kind == .raven ? rules.ravenDefaults : rules.defaults)
    let naming = kind.naming(family)
    guard let layers = try Self.layers(&config, kind) else {
      throw config.missing("num_hidden_layers")
    }
    let ignored = try rules.check(object, layers: layers, ignoring: ignored)
    let sizes = try ModelSizes(
      &config, intermediate: family.intermediateField, context: family.contextField,
      rows: table.shape(of: naming.embedding)?.first)
    // Names are made one by one: a count beyond the number of tensors is refused first.
    guard layers <= tensorCount else {
      throw ModelGraphError(
        .invalidValue(
          field: "num_hidden_layers", value: String(layers),
          rule: isUntrained
            ? "at most \(tensorCount)" : "at most the number of tensors, \(tensorCount)"))
    }
    let table = table
    var reader = FamilyReader(
      config: config, sizes: sizes, layers: layers,
      turnsPartOfHeads: family.turnsPartOfHeads,
      isStored: kind == .raven
        ? { naming.name($0, .prelude, 0).map(table.contains) ?? false } : nil)
    let spec = try family.model(&reader)
    var blocks: [BlockSpec] = []
    for layer in 0..<layers { blocks.append(try family.block(&reader, layer)) }
    let own = try family.recurrence?(&reader)
    config = reader.config
    let plan = Architecture(
      family: family, kind: kind, naming: naming, sizes: sizes, spec: spec, blocks: blocks,
      isTied: try config.bool("tie_word_embeddings", "tie_embeddings") ?? false,
      recurrence: kind == .source
        ? own
        : try RecurrenceSettings(
          &config, layers: layers, embeddingMultiplier: spec.embeddingMultiplier,
          normsLatent: family.normsLatent),
      ignored: ignored)
    if let stated = try config.value(BlockSpecTable.field) { try plan.table?.check(stated.value) }
    return plan
  }

  /// The number of stored layers. An exported folder has it in `n_layers`, and in
  /// `num_hidden_layers` how many are executed, which is what engines make room for.
  private static func layers(
    _ config: inout ConfigReader, _ kind: Kind
  ) throws(ModelGraphError) -> Int? {
    guard kind == .raven, config.states("n_layers"), config.states("num_hidden_layers") else {
      return try config.extent("num_hidden_layers", "n_layers")
    }
    guard let stored = try config.extent("n_layers"),
      let stated = try config.extent("num_hidden_layers"), stated != stored
    else { return try config.extent("n_layers") }
    let passes = try config.extent("mean_recurrence") ?? 1
    let core = try config.extent("n_layers_in_recurrent_block") ?? 0
    let executed = stored + core * (passes - 1)
    guard stated == executed else {
      throw ModelGraphError(
        .invalidValue(
          field: "num_hidden_layers", value: String(stated),
          rule: "\(executed), the layers that are executed at mean_recurrence \(passes)"))
    }
    return stored
  }

  /// Which spelling of names and fields a checkpoint has.
  enum Kind {
    case source
    case native
    case raven

    func rules(_ family: Family) -> FieldRules {
      switch self {
      case .source: family.fields
      case .native: family.fields.with(.package)
      case .raven: family.fields.with(.raven).with(family.publishedFields)
      }
    }

    func naming(_ family: Family) -> Naming {
      switch self {
      case .source: Naming(source: family)
      case .native: Naming(native: family)
      case .raven: .raven
      }
    }
  }

  private func identity(_ object: JSONObject) throws(ModelGraphError) -> (Family, Kind) {
    var config = ConfigReader(object)
    guard let modelType = try config.string("model_type") else {
      throw config.missing("model_type")
    }
    let stated = try config.string("source_model_type")
    let native = "recurrent_"
    if modelType == "huginn_raven" { return (try ravenFamily(stated), .raven) }
    let isNative = modelType.hasPrefix(native)
    let name = isNative ? String(modelType.dropFirst(native.count)) : modelType
    guard let family = Family.named(name) else {
      throw ModelGraphError(.unsupportedArchitecture(modelType))
    }
    return (family, isNative ? .native : .source)
  }

  /// The family of a retrofit in Raven names: as stated, or told by its query/key norms, or
  /// by Huginn's bias.
  private func ravenFamily(_ stated: String?) throws(ModelGraphError) -> Family {
    if let stated {
      guard let family = Family.named(stated) else {
        throw ModelGraphError(.unsupportedArchitecture(stated))
      }
      return family
    }
    if table.contains("transformer.prelude.0.attn.qk_bias") { return .huginn }
    return table.contains("transformer.prelude.0.attn.q_norm.weight") ? .olmo2 : .llama
  }

  /// The blocks of `group`, of which the first is layer `first` of the configuration.
  mutating func blocks(
    _ plan: Architecture, _ group: BlockGroup, first: Int, sources: [Int]
  ) throws(ModelGraphError) -> [Block] {
    var blocks: [Block] = []
    for (index, source) in sources.enumerated() {
      let spec = plan.blocks[first + index]
      let place = BlockPlace(spec: spec, group: group, index: index)
      let parameters = try self.parameters(plan, place, isPacked: isPacked(plan, place))
      blocks.append(Block(sourceLayer: source, spec: spec, parameters: parameters))
    }
    return blocks
  }

  private func isPacked(_ plan: Architecture, _ place: BlockPlace) -> Bool {
    BlockRole.packed.contains { role in
      plan.naming.name(role, place.spec, place.group, place.index).map(table.contains) ?? false
    }
  }

  private mutating func parameters(
    _ plan: Architecture, _ place: BlockPlace, isPacked: Bool
  ) throws(ModelGraphError) -> [Block.RoleParameter] {
    let spec = place.spec
    var parameters: [Block.RoleParameter] = []
    func name(_ role: BlockRole, _ expert: Int?) -> String? {
      plan.naming.name(
        role, spec, place.group, place.index, expert: expert, isPacked: isPacked)
    }
    try checkExperts(plan, spec, router: name(.router, nil), isPacked: isPacked)
    for role in spec.roles(fused: plan.naming.fused.union(isPacked ? BlockRole.packed : [])) {
      let isOfExpert = role.facts.fusedInto?.facts.isPacked ?? false
      let experts: [Int?] = isOfExpert ? (0..<(spec.mlp.experts?.count ?? 0)).map { $0 } : [nil]
      for expert in experts {
        guard let name = name(role, expert) else { continue }
        parameters.append(
          .init(role, expert: expert, try take(name, spec.shape(of: role, plan.sizes))))
      }
    }
    return parameters
  }

  /// Refuses a number of experts that the router's rows deny, or that names are not made for.
  private func checkExperts(
    _ plan: Architecture, _ spec: BlockSpec, router: String?, isPacked: Bool
  ) throws(ModelGraphError) {
    guard let count = spec.mlp.experts?.count else { return }
    func refuse(_ rule: String) -> ModelGraphError {
      ModelGraphError(
        .invalidValue(field: plan.family.expertsField, value: String(count), rule: rule))
    }
    if let router, let rows = table.shape(of: router)?.first, rows != count {
      throw refuse("\(rows), the rows of \(router)")
    }
    if isUntrained {
      let most = UntrainedWeights.mostExperts
      guard count <= most else { throw refuse("at most \(most)") }
    } else {
      guard isPacked || count <= table.count else {
        throw refuse("at most the number of tensors, \(table.count)")
      }
    }
  }

  /// The tensor `name`, checked; one that is missing is noted, and a stand-in returned.
  mutating func take(_ name: String, _ shape: [Int]) throws(ModelGraphError) -> Parameter {
    guard let parameter = table.take(name) else {
      missing.append(name)
      return Parameter(
        name: TensorName(name), shape: shape, type: .f32, recipe: Recipe(.initialised(.zeros)))
    }
    guard parameter.shape == shape else {
      throw ModelGraphError(
        .wrongShape(found: parameter.shape, wanted: shape), tensor: parameter.name.string)
    }
    guard parameter.type.isFloatingPoint else {
      throw ModelGraphError(.notFloatingPoint(parameter.type), tensor: parameter.name.string)
    }
    return parameter
  }

  /// Ones that the untrained published retrofits carry over from their template; no reader of
  /// theirs looks at them.
  private static func isTemplate(_ name: String) -> Bool {
    name.hasSuffix(".norm_3.weight") || name.hasSuffix(".norm_4.weight")
  }

  private func notes(ignored: [String]) -> [Warning] {
    var notes = table.buffers.map {
      Warning("model.buffer_dropped", "recomputed by every reader, so not copied", tensor: $0)
    }
    let unread = table.leftovers.filter { name in
      !otherParts.contains { TensorTable.bare(name).hasPrefix($0) }
    }.map {
      Warning("model.unused_tensor", "not used by this architecture, so not copied", tensor: $0)
    }
    notes += unread
    for rule in table.prefixes.sorted(by: { $0.stored < $1.stored }) {
      notes.append(
        Warning(
          "model.prefix", "names start with \"\(rule.stored)\", read as \"\(rule.canonical)\""))
    }
    if !table.inner.isEmpty {
      let list = table.inner.sorted().joined(separator: ", ")
      notes.append(Warning("model.wrappers", "names without the wrappers' part: \(list)"))
    }
    if !ignored.isEmpty {
      let list = ignored.joined(separator: ", ")
      notes.append(Warning("config.ignored", "fields ignored, as asked: \(list)"))
    }
    return notes
  }
}

/// A block, and where it stands.
private struct BlockPlace {
  var spec: BlockSpec
  var group: BlockGroup
  var index: Int
}

/// What the configuration says, before tensors are put in their places.
struct Architecture {
  var family: Family
  var kind: GraphReader.Kind
  var naming: Naming
  var sizes: ModelSizes
  var spec: ModelSpec
  /// Of every layer, in the order of the configuration.
  var blocks: [BlockSpec]
  var isTied: Bool
  /// Nil for a source model.
  var recurrence: RecurrenceSettings?
  /// Fields that were passed over because the user says so.
  var ignored: [String]

  /// What an exported folder's modelling code is told; nil for a source model.
  var table: BlockSpecTable? {
    guard let sources = recurrence?.sources else { return nil }
    var rest = blocks[...]
    let groups = zip(["prelude", "core", "coda"], sources).map { name, layers in
      defer { rest = rest.dropFirst(layers.count) }
      return (name: name, specs: Array(rest.prefix(layers.count)))
    }
    return BlockSpecTable(model: spec, groups: groups, sizes: sizes)
  }
}
