import ByteIO
package import JSON
package import Tensors

extension ModelGraph {
  /// Recognises the model that `config` and a checkpoint's tensors describe: a source model of a
  /// supported family, a published retrofit, or a package of this tool in either dialect.
  ///
  /// Every tensor's shape is checked. A field or tensor that may change the numbers and is not
  /// understood is an error that names it.
  package static func read(
    config: JSONObject, tensors: [TensorRecord]
  ) throws(ModelGraphError) -> ModelGraph {
    try read(config: config, parameters: tensors.map(Parameter.init(stored:)))
  }

  /// The same for tensors that are recipes already, named as in Hugging Face folders: a GGUF file's,
  /// after translation.
  package static func read(
    config: JSONObject, parameters: [Parameter]
  ) throws(ModelGraphError) -> ModelGraph {
    var reader = GraphReader(config: ConfigReader(config), table: try TensorTable(parameters))
    return try reader.graph(config, tensorCount: parameters.count)
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
  var config: ConfigReader
  var table: TensorTable
  private var missing: [String] = []

  init(config: ConfigReader, table: TensorTable) {
    self.config = config
    self.table = table
  }

  mutating func graph(
    _ object: JSONObject, tensorCount: Int
  ) throws(ModelGraphError) -> ModelGraph {
    let plan = try architecture(tensorCount: tensorCount)
    let ignored = try FieldRules.check(object, read: config.read)
    let (naming, sizes) = (plan.naming, plan.sizes)
    let embedding = try take(naming.embedding, [sizes.vocabulary, sizes.hidden])
    let finalNorm = try take(naming.finalNorm, [sizes.hidden])
    // A tied head is the embedding, whatever is stored under its name.
    let head = plan.isTied ? nil : try take(naming.head, [sizes.vocabulary, sizes.hidden])
    let body: ModelGraph.Body =
      if let recurrence = plan.recurrence { .recurrent(try self.body(recurrence, plan)) } else {
        .plain(try blocks(plan, .layers, sources: Array(0..<plan.layers)))
      }
    if !missing.isEmpty { throw ModelGraphError(.missingTensors(missing)) }
    var leftovers = table.leftovers
    if plan.isTied { leftovers.removeAll { $0.hasSuffix(naming.head) } }
    if plan.kind == .raven { leftovers.removeAll(where: Self.isTemplate) }
    guard leftovers.isEmpty else { throw ModelGraphError(.leftoverTensors(leftovers)) }
    var graph = ModelGraph(
      family: plan.family, sizes: sizes, style: plan.style, rotary: plan.rotary,
      normEpsilon: plan.normEpsilon, embedding: embedding, finalNorm: finalNorm, head: head,
      body: body, config: object)
    graph.notes = notes(ignored: ignored)
    return graph
  }

  /// Reads every field; looks at tensors only where they tell what the fields leave open.
  private mutating func architecture(
    tensorCount: Int
  ) throws(ModelGraphError) -> Architecture {
    let (family, kind, naming) = try identity()
    let rows = table.shape(of: naming.embedding)?.first
    let sizes = try ModelSizes(&config, rows: rows)
    let style = try style(family, kind, naming)
    let rotary = try RotaryEmbedding(
      &config, defaultTheta: kind == .raven ? nil : Family.customaryTheta)
    guard let epsilon = try config.positive("rms_norm_eps", "norm_eps") else {
      throw config.missing("rms_norm_eps")
    }
    guard let layers = try config.extent("num_hidden_layers", "n_layers") else {
      throw config.missing("num_hidden_layers")
    }
    // Names are made one by one: a count beyond the number of tensors is refused first.
    guard layers <= tensorCount else {
      throw ModelGraphError(
        .invalidValue(
          field: "num_hidden_layers", value: String(layers),
          rule: "at most the number of tensors, \(tensorCount)"))
    }
    try checkWindow(family, sizes, layers: layers)
    return Architecture(
      family: family.modelTypes[0], kind: kind, naming: naming, sizes: sizes, style: style,
      rotary: rotary, normEpsilon: epsilon, layers: layers,
      isTied: try config.bool("tie_word_embeddings", "tie_embeddings") ?? false,
      recurrence: kind == .source ? nil : try recurrenceSettings(layers: layers))
  }

  /// Which spelling of names and fields a checkpoint has.
  enum Kind {
    case source
    case native
    case raven
  }

  private mutating func identity() throws(ModelGraphError) -> (Family, Kind, Naming) {
    guard let modelType = try config.string("model_type") else {
      throw config.missing("model_type")
    }
    let stated = try config.string("source_model_type")
    let native = "recurrent_"
    if modelType == "huginn_raven" {
      return (try ravenFamily(stated), .raven, .raven)
    }
    let isNative = modelType.hasPrefix(native)
    let name = isNative ? String(modelType.dropFirst(native.count)) : modelType
    guard let family = Family.named(name),
      let naming = isNative ? Naming.native(family: name) : Naming.source(family: name)
    else { throw ModelGraphError(.unsupportedArchitecture(modelType)) }
    return (family.called(name), isNative ? .native : .source, naming)
  }

  /// The family of a retrofit in Raven names: as stated, or told by its query/key norms.
  private func ravenFamily(_ stated: String?) throws(ModelGraphError) -> Family {
    if let stated {
      guard let family = Family.named(stated) else {
        throw ModelGraphError(.unsupportedArchitecture(stated))
      }
      return family.called(stated)
    }
    return table.contains("transformer.prelude.0.attn.q_norm.weight") ? .olmo2 : .llama
  }

  private mutating func style(
    _ family: Family, _ kind: Kind, _ naming: Naming
  ) throws(ModelGraphError) -> BlockStyle {
    var style = BlockStyle(norms: family.norms, queryKeyNorm: family.queryKeyNorm)
    switch family.biases {
    case .none: break
    case .queryKeyValue: style.queryKeyValueBias = true
    case .configured:
      let attention = try config.bool("attention_bias")
      let mlp = try config.bool("mlp_bias")
      // Published retrofits have no such fields; their tensors tell.
      func has(_ role: BlockRole) -> Bool {
        naming.name(role, .prelude, 0).map(table.contains) ?? false
      }
      let told = kind == .raven
      style.queryKeyValueBias = attention ?? (told && has(.queryKeyValueBias))
      style.outputBias = attention ?? (told && has(.outputBias))
      style.mlpBias = mlp ?? (told && has(.gateUpBias))
    }
    return style
  }

  mutating func blocks(
    _ plan: Architecture, _ group: BlockGroup, sources: [Int]
  ) throws(ModelGraphError) -> [Block] {
    var blocks: [Block] = []
    for (index, source) in sources.enumerated() {
      var parameters: [Block.RoleParameter] = []
      for role in plan.style.roles(fused: plan.naming.isFused) {
        guard let name = plan.naming.name(role, group, index) else { continue }
        let shape = plan.style.shape(of: role, plan.sizes)
        parameters.append(.init(role, try take(name, shape)))
      }
      blocks.append(Block(sourceLayer: source, parameters: parameters))
    }
    return blocks
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
      Warning("model.buffer_dropped", "recomputed by every reader, so not taken over", tensor: $0)
    }
    let unread = table.leftovers.map {
      Warning("model.unused_tensor", "not used by this architecture, so not taken over", tensor: $0)
    }
    notes += unread
    for rule in table.prefixes.sorted(by: { $0.stored < $1.stored }) {
      notes.append(
        Warning(
          "model.prefix", "names start with \"\(rule.stored)\", read as \"\(rule.canonical)\""))
    }
    if !ignored.isEmpty {
      let list = ignored.joined(separator: ", ")
      notes.append(Warning("config.ignored", "fields without effect here: \(list)"))
    }
    return notes
  }
}

/// What the configuration says, before tensors are put in their places.
struct Architecture {
  var family: String
  var kind: GraphReader.Kind
  var naming: Naming
  var sizes: ModelSizes
  var style: BlockStyle
  var rotary: RotaryEmbedding
  var normEpsilon: Double
  var layers: Int
  var isTied: Bool
  /// Nil for a source model.
  var recurrence: RecurrenceSettings?
}

extension Family {
  /// The same family under the one of its names that a configuration uses.
  fileprivate func called(_ modelType: String) -> Family {
    var family = self
    family.modelTypes = [modelType]
    return family
  }
}
