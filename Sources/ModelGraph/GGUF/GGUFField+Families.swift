import ByteIO
import JSON

// What some families have beside the hyper-parameters of all.

extension GGUFField {
  /// A field of the configuration that the family's files take for granted.
  static func implied(_ field: String, _ value: JSONValue) -> GGUFField {
    GGUFField(read: { _, config throws(ModelGraphError) in config[field] = value })
  }

  /// One window on all layers, or none.
  ///
  /// - Parameter isWritten: False for families of which llama.cpp passes over the key, so that its
  ///   results would differ.
  static func window(isWritten: Bool = true) -> GGUFField {
    GGUFField(
      read: { keys, config throws(ModelGraphError) in
        config["sliding_window"] = JSONValue(try keys.window())
      },
      write: { model, entries in
        if isWritten { entries.set(windowKey, model.windowed?.width ?? 0, unless: 0) }
      })
  }

  /// Windows on all layers but every `period`-th.
  ///
  /// - Parameters:
  ///   - isImplied: Whether there are windows in a file that states none.
  ///   - statesLayers: Whether files say of each layer if it has one.
  static func windows(
    butEvery period: Int, isImplied: Bool = false, statesLayers: Bool = false
  ) -> GGUFField {
    GGUFField(
      read: { keys, config throws(ModelGraphError) in
        let width = try keys.window()
        config["sliding_window"] = JSONValue(width ?? 4096)
        config["layer_types"] = try keys.layerTypes(
          pattern: width == nil && !isImplied ? 1 : period)
      },
      write: { model, entries in
        guard let width = model.windowed?.width else { return }
        entries.set(windowKey, width)
        let flags = model.blocks.map { $0.spec.attention.visible != .all }
        let isUsual = flags.indices.allSatisfy { flags[$0] == (($0 + 1) % period != 0) }
        if isUsual, !statesLayers { return }
        entries.set(patternKey, .array(flags.map { .bool($0) }))
        if !statesLayers {
          entries.warnings.append(
            Warning(
              "gguf.windows_by_layer",
              "which layers have a window is stored layer by layer, since it differs from other models of the "
                + "family: older versions of llama.cpp ignore that"))
        }
      })
  }

  static let windowKey = "attention.sliding_window"
  static let patternKey = "attention.sliding_window_pattern"

  /// The base of windowed layers' positions, in Gemma 3.
  static let localBase = GGUFField(
    read: { keys, config throws(ModelGraphError) in
      config["rope_local_base_freq"] = JSONValue(try keys.positive(localBaseKey) ?? 10_000)
    }, write: writeLocalBase)

  /// The same in OLMo-3, whose windowed layers are never scaled.
  static let positionsByKind = GGUFField(
    read: { keys, config throws(ModelGraphError) in
      var full = config["rope_scaling"]?.object ?? ["rope_type": "default"]
      full["rope_theta"] = config["rope_theta"]
      let local = try keys.positive(localBaseKey)
      config["rope_parameters"] = [
        "full_attention": .object(full),
        "sliding_attention": [
          "rope_type": "default",
          "rope_theta": local.map { JSONValue($0) } ?? config["rope_theta"] ?? .null,
        ],
      ]
      config["rope_scaling"] = nil
      config["rope_theta"] = nil
    }, write: writeLocalBase)

  private static let localBaseKey = "rope.freq_base_swa"
  private static let writeLocalBase: @Sendable (GGUFModel, inout GGUFEntries) -> Void = {
    if let rotary = $0.windowed?.rotary { $1.set(localBaseKey, rotary.theta) }
  }

  /// Gemma 2 and 3: the queries' scale follows from the sizes alone.
  ///
  /// - Parameter layers: Number of layers of the model whose scale is that of the hidden width shared
  ///   among its heads, and not that of a head.
  static func headScale(byWidthAt layers: Int) -> GGUFField {
    GGUFField(read: { keys, config throws(ModelGraphError) in
      let isByWidth = try keys.needed("block_count") == layers
      let share = try keys.needed("embedding_length") / keys.needed("attention.head_count")
      config["query_pre_attn_scalar"] = JSONValue(isByWidth ? max(1, share) : keys.headSize)
    })
  }

  /// A softcap; zero is none.
  ///
  /// - Parameter silent: What it is in a file that does not say.
  static func softcap(
    _ key: String, silent: Double? = nil, _ value: @escaping @Sendable (GGUFModel) -> Double?
  ) -> GGUFField {
    GGUFField(
      read: { keys, config throws(ModelGraphError) in
        let cap = try keys.number(key) == nil ? silent : try keys.positive(key)
        config[key] = cap.map { JSONValue($0) } ?? .null
      }, write: { model, entries in value(model).map { entries.set(key, $0) } })
  }

  /// A factor of Granite's; the file's name for it ends in `_scale`.
  static func factor(
    _ key: String, _ field: String, silent: @escaping @Sendable (_ headSize: Int) -> Double,
    _ value: @escaping @Sendable (GGUFModel) -> Double
  ) -> GGUFField {
    GGUFField(
      read: { keys, config throws(ModelGraphError) in
        config[field] = JSONValue(try keys.positive(key) ?? silent(keys.headSize))
      }, write: { $1.set(key, value($0), unless: silent($0.sizes.headSize)) })
  }

  /// What the converter of Granite 4 leaves of layers that such a model does not have.
  static let graniteRest = GGUFField(read: { keys, config throws(ModelGraphError) in
    keys.pass(over: [
      "ssm.conv_kernel", "ssm.state_size", "ssm.group_count", "ssm.inner_size",
      "ssm.time_step_rank", "expert_used_count",
    ])
    if let width = try keys.extent("expert_shared_feed_forward_length") {
      config["intermediate_size"] = JSONValue(width)
    }
    guard try keys.bool("rope.scaling.finetuned") ?? true else {
      throw ModelGraphError(
        .unsupportedField("granite.rope.scaling.finetuned", value: "false"))
    }
  })

  /// The number of experts under the name `count`, their width under `width` where it is not that of
  /// the one MLP. The coefficient of the loss that balances them is not stored.
  static func experts(_ count: String, width: String? = nil) -> GGUFField {
    GGUFField(
      read: { keys, config throws(ModelGraphError) in
        config[count] = JSONValue(try keys.needed("expert_count"))
        config["num_experts_per_tok"] = JSONValue(try keys.needed("expert_used_count"))
        if let width { config[width] = JSONValue(try keys.needed("expert_feed_forward_length")) }
      },
      write: { model, entries in
        guard let experts = model.experts else { return }
        entries.set("expert_count", experts.count)
        entries.set("expert_used_count", experts.chosen)
        if width != nil { entries.set("expert_feed_forward_length", experts.width) }
      })
  }

  /// A divisor for each frequency, in tensors.
  static let longRoPE = GGUFField(
    read: { keys, config throws(ModelGraphError) in
      let original = try keys.extent(GGUFRotary.originalContext)
      if let original { config[originalField] = JSONValue(original) }
      let magnitude = try keys.positive("rope.scaling.attn_factor")
      guard let long = keys.constants[GGUFDialect.longFactors],
        let short = keys.constants[GGUFDialect.shortFactors]
      else {
        guard magnitude == nil || magnitude == 1 else {
          throw ModelGraphError(
            .missingTensors([GGUFDialect.longFactors, GGUFDialect.shortFactors]))
        }
        return
      }
      var scaling: JSONObject = [
        "rope_type": "longrope", "long_factor": .array(long.map { JSONValue($0) }),
        "short_factor": .array(short.map { JSONValue($0) }),
      ]
      if let magnitude { scaling["attention_factor"] = JSONValue(magnitude) }
      config["rope_scaling"] = .object(scaling)
    },
    write: { model, entries in
      if case .longRoPE(let rope)? = model.rotary?.scaling {
        entries.set(GGUFRotary.originalContext, rope.originalContext)
        entries.set("rope.scaling.attn_factor", rope.magnitude)
      } else if let original = model.graph.config[originalField]?.integer {
        entries.set(GGUFRotary.originalContext, original)
      }
    })
  private static let originalField = "original_max_position_embeddings"
}

// MARK: Reading

extension GGUFHyperparameters {
  /// The window of attention; nil where there is none, which some writers call zero.
  fileprivate mutating func window() throws(ModelGraphError) -> Int? {
    if try number(GGUFField.windowKey) == 0 { return nil }
    return try extent(GGUFField.windowKey)
  }

  /// `layer_types`: as an array of the file says, or every `pattern`-th layer sees everything.
  fileprivate mutating func layerTypes(pattern: Int) throws(ModelGraphError) -> JSONValue {
    let key = GGUFField.patternKey
    let layers = try needed("block_count")
    var isWindowed = [Bool](repeating: false, count: try checked(layers: layers))
    if let flags = try value(key)?.value.array {
      let stated = flags.compactMap(\.bool)
      guard stated.count == flags.count, flags.count == layers else {
        throw ModelGraphError(
          .invalidValue(
            field: prefix + key, value: "an array of \(flags.count)",
            rule: "an array of \(layers) truth values"))
      }
      isWindowed = stated
    } else {
      let pattern = try extent(key) ?? pattern
      for layer in isWindowed.indices { isWindowed[layer] = (layer + 1) % pattern != 0 }
    }
    return .array(isWindowed.map { $0 ? "sliding_attention" : "full_attention" })
  }
}
