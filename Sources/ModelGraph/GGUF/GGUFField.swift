import ByteIO
import JSON

/// One fact that files of a family state, read and written in one place.
struct GGUFField: Sendable {
  /// Takes the fact into the configuration.
  var read: @Sendable (inout GGUFHyperparameters, inout JSONObject) throws(ModelGraphError) -> Void
  /// States it of a model; nothing where a file cannot say it, and what is read then has to be what
  /// the model computes.
  var write: @Sendable (GGUFModel, inout GGUFEntries) -> Void = { _, _ in }
}

/// A model whose file is to be written.
struct GGUFModel {
  let graph: ModelGraph
  let blocks: [Block]

  var sizes: ModelSizes { graph.sizes }
  var first: BlockSpec? { blocks.first?.spec }
  var experts: ExpertSpec? { blocks.lazy.compactMap(\.spec.mlp.experts).first }

  /// The positions that the general hyper-parameters tell of: those of layers that see everything,
  /// where there are such.
  var rotary: RotaryEmbedding? {
    let all = blocks.filter { $0.spec.attention.visible == .all }
    return (all + blocks).lazy.compactMap(\.spec.attention.rotary).first
  }

  /// The positions and the width of layers with a window; nil without such.
  var windowed: (rotary: RotaryEmbedding?, width: Int)? {
    for block in blocks {
      if case .window(let width) = block.spec.attention.visible {
        return (block.spec.attention.rotary, width)
      }
    }
    return nil
  }
}

/// Hyper-parameters that are to be written, by the key after the architecture's name. Numbers with a
/// fraction are as float32 has them.
struct GGUFEntries {
  /// Keys that the family's files have even where they say what their absence would.
  let stated: Set<String>
  private(set) var members = JSONObject()
  /// What readers may not know.
  var warnings: [Warning] = []

  init(stated: Set<String>) { self.stated = stated }

  /// - Parameter implied: What the absence of the key means; nil if that means nothing.
  mutating func set(_ key: String, _ value: JSONValue, unless implied: JSONValue? = nil) {
    if value != implied || stated.contains(key) { members[key] = value }
  }

  mutating func set(_ key: String, _ value: Int, unless implied: Int? = nil) {
    set(key, JSONValue(value), unless: implied.map { JSONValue($0) })
  }

  mutating func set(_ key: String, _ value: Double, unless implied: Double? = nil) {
    set(key, JSONValue(Float(value)), unless: implied.map { JSONValue(Float($0)) })
  }
}

// MARK: What every family's files state

extension GGUFField {
  static let common: [GGUFField] = [
    .count("embedding_length", { _ in "hidden_size" }, { $0.sizes.hidden }),
    .count("feed_forward_length", \.intermediateField, { $0.sizes.intermediate }),
    .count("block_count", { _ in "num_hidden_layers" }, { $0.blocks.count }),
    .count("attention.head_count", { _ in "num_attention_heads" }, { $0.sizes.heads }),
    .keyValueHeads, .headSize, .vocabulary,
    .count("context_length", { _ in "max_position_embeddings" }, { $0.sizes.context }),
    .epsilon, .rotary, .head, .biases,
  ]

  /// A whole number that has to be stated.
  private static func count(
    _ key: String, _ field: @escaping @Sendable (Family) -> String,
    _ value: @escaping @Sendable (GGUFModel) -> Int
  ) -> GGUFField {
    GGUFField(
      read: { keys, config throws(ModelGraphError) in
        config[field(keys.dialect.family)] = JSONValue(try keys.needed(key))
      }, write: { $1.set(key, value($0)) })
  }

  private static let keyValueHeads = GGUFField(
    read: { keys, config throws(ModelGraphError) in
      let heads = try keys.needed("attention.head_count")
      config["num_key_value_heads"] = JSONValue(try keys.keyValueHeads() ?? heads)
    }, write: { $1.set("attention.head_count_kv", $0.sizes.keyValueHeads) })

  /// Of keys, and the same of values.
  private static let headSize = GGUFField(
    read: { keys, config throws(ModelGraphError) in
      config["head_dim"] = JSONValue(try keys.readHeadSize())
    },
    write: { model, entries in
      let implied = model.sizes.hidden / max(1, model.sizes.heads)
      for key in ["attention.key_length", "attention.value_length"] {
        entries.set(key, model.sizes.headSize, unless: implied)
      }
    })

  /// The embedding's rows tell.
  private static let vocabulary = GGUFField(
    read: { keys, config throws(ModelGraphError) in
      config["vocab_size"] = JSONValue(try keys.vocabulary())
    },
    write: { model, entries in
      entries.set("vocab_size", model.sizes.vocabulary, unless: model.sizes.vocabulary)
    })

  private static let epsilon = GGUFField(
    read: { keys, config throws(ModelGraphError) in
      config["rms_norm_eps"] = JSONValue(try keys.neededPositive(epsilonKey))
    }, write: { $1.set(epsilonKey, $0.graph.spec.finalNorm.epsilon) })
  private static let epsilonKey = "attention.layer_norm_rms_epsilon"

  private static let rotary = GGUFField(
    read: { keys, config throws(ModelGraphError) in
      config["rope_theta"] = JSONValue(try keys.positive("rope.freq_base") ?? 10_000)
      try keys.readTurnedPart(&config)
      try keys.readScaling(&config)
    },
    write: { model, entries in
      guard let rotary = model.rotary else { return }
      let headSize = model.sizes.headSize
      entries.set("rope.freq_base", rotary.theta, unless: 10_000)
      entries.set("rope.dimension_count", rotary.dimensions ?? headSize, unless: headSize)
      GGUFRotary.write(rotary.scaling, to: &entries)
    })

  /// A head that is not stored is the embedding.
  private static let head = GGUFField(read: { keys, config throws(ModelGraphError) in
    config["tie_word_embeddings"] = .bool(!keys.has(GGUFDialect.head))
  })

  /// Stated, since a field that is left out has its family's default.
  private static let biases = GGUFField(read: { keys, config throws(ModelGraphError) in
    for (field, role) in [("attention_bias", BlockRole.queryBias), ("mlp_bias", .gateBias)]
    where keys.dialect.family.fields[field] != nil {
      config[field] = .bool(keys.has("blk.0." + role.facts.gguf))
    }
  })
}
