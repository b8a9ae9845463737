package import JSON

/// What a graph's specs say, in the fields of a Hugging Face configuration.
extension ModelGraph {
  /// The rotary embeddings: one for all blocks, or one for each kind of layer.
  package enum RotaryFields {
    /// Of the only embedding; nil where no block has one.
    case one(RotaryEmbedding?)
    /// `rope_parameters`, by the kind of layer.
    case byLayerType(JSONObject)
  }

  package var rotaryFields: RotaryFields {
    var embeddings: [(type: String, rotary: RotaryEmbedding)] = []
    for block in blocks {
      guard let rotary = block.spec.attention.rotary else { continue }
      let type = block.spec.layerType.string ?? ""
      if !embeddings.contains(where: { $0.type == type && $0.rotary == rotary }) {
        embeddings.append((type, rotary))
      }
    }
    let first = embeddings.first?.rotary
    let isByKind = Family.named(family)?.hasRotaryByKind ?? false
    if !isByKind, embeddings.allSatisfy({ $0.rotary == first }) { return .one(first) }
    return .byLayerType(
      JSONObject(
        embeddings.map { .init(key: $0.type, value: .object($0.rotary.parameters(sizes))) }
      ).sorted)
  }

  /// The configuration's fields that a package knows, in the dialect of the published retrofits or in
  /// the native one.
  package func packageFields(isRaven: Bool) -> JSONObject {
    guard let family = Family.named(family) else { return config }
    let rules = family.fields.with(isRaven ? .raven : .package)
    return JSONObject(config.members.filter { rules[$0.key] != nil })
  }

  /// Fields that say something of each layer, as the family's configuration has them.
  package var layerLists: JSONObject {
    guard let family = Family.named(family) else { return [:] }
    var lists = JSONObject()
    for (key, value) in family.layerLists.sorted(by: { $0.key < $1.key }) {
      lists[key] = .array(blocks.map { value($0.spec) })
    }
    for member in family.layerFields(blocks.map(\.spec)).members {
      lists[member.key] = member.value
    }
    for member in config.members {
      guard case .everyLayer(let element)? = family.fields[member.key] else { continue }
      lists[member.key] = .array(blocks.map { _ in element })
    }
    return lists
  }

  /// Fields that this model's configuration has of its family's own, not those of every model.
  package var familyFields: JSONObject {
    let rules = Family.named(family)?.fields ?? [:]
    return JSONObject(
      config.members.filter { member in
        switch rules[member.key] {
        case nil: false
        case .required?, .read?: true
        default: FieldRules.everyModel[member.key] == nil
        }
      })
  }

  /// The field that has the MLP's width.
  package var intermediateField: String {
    Family.named(family)?.intermediateField ?? "intermediate_size"
  }

  /// Whether the family's configuration has the field.
  package func hasField(_ name: String) -> Bool { Family.named(family)?.fields[name] != nil }

  /// The class that transformers loads a plain model of this family with.
  package var className: String? { Family.named(family)?.className }
}

extension RotaryEmbedding {
  /// `rope_scaling` as Hugging Face writes it; nil when there is none and the whole head is turned.
  package func scalingFields(_ sizes: ModelSizes) -> JSONObject? {
    var fields: JSONObject
    switch scaling {
    case .none:
      if dimensions == nil { return nil }
      fields = ["rope_type": "default"]
    case .linear(let factor): fields = ["factor": number(factor), "rope_type": "linear"]
    case .dynamic(let factor, _): fields = ["factor": number(factor), "rope_type": "dynamic"]
    case .llama3(let factor, let low, let high, let original):
      fields = [
        "factor": number(factor), "high_freq_factor": number(high), "low_freq_factor": number(low),
        "original_max_position_embeddings": JSONValue(original), "rope_type": "llama3",
      ]
    case .yarn(let yarn):
      fields = [
        "attention_factor": number(yarn.magnitude), "beta_fast": number(yarn.betaFast),
        "beta_slow": number(yarn.betaSlow), "factor": number(yarn.factor),
        "original_max_position_embeddings": JSONValue(yarn.originalContext), "rope_type": "yarn",
      ]
      if !yarn.isTruncated { fields["truncate"] = false }
    case .longRoPE(let long):
      fields = [
        "attention_factor": number(long.magnitude), "long_factor": .array(long.long.map(number)),
        "original_max_position_embeddings": JSONValue(long.originalContext),
        "rope_type": "longrope", "short_factor": .array(long.short.map(number)),
      ]
    }
    if let dimensions {
      fields["partial_rotary_factor"] = number(Double(dimensions) / Double(sizes.headSize))
    }
    return fields.sorted
  }

  /// `rope_parameters`.
  package func parameters(_ sizes: ModelSizes) -> JSONObject {
    var fields = scalingFields(sizes) ?? ["rope_type": "default"]
    fields["rope_theta"] = number(theta)
    return fields.sorted
  }
}

/// A finite number, as all of a graph's are.
private func number(_ value: Double) -> JSONValue { .number(JSONNumber(value)) }
