package import JSON

/// What a recurrent model computes, as data for a program that knows no families: `block_specs` in
/// the configuration of an exported folder.
///
/// `distinct` has every spec once; `prelude`, `core` and `coda` name, block by block, a place there;
/// `model` is what is computed outside the blocks.
struct BlockSpecTable {
  static let field = "block_specs"

  var model: ModelSpec
  /// By the part of the model the blocks are in.
  var groups: [(name: String, specs: [BlockSpec])]
  var sizes: ModelSizes

  var json: JSONObject {
    var distinct: [BlockSpec] = []
    var table: JSONObject = ["model": .object(model.json)]
    for group in groups {
      let places = group.specs.map { spec in
        if let known = distinct.firstIndex(of: spec) { return known }
        distinct.append(spec)
        return distinct.count - 1
      }
      table[group.name] = .array(places.map { JSONValue($0) })
    }
    table["distinct"] = .array(distinct.map { .object($0.json(sizes)) })
    return table.sorted
  }

  /// Throws where a folder's `block_specs` say something else than its family's own fields.
  func check(_ stated: JSONValue) throws(ModelGraphError) {
    guard let found = JSONValue.object(json).difference(from: stated, at: Self.field)
    else { return }
    throw ModelGraphError(
      .invalidValue(
        field: found.path, value: found.stated?.text() ?? "absent",
        rule: (found.wanted?.text() ?? "absent") + ", as the model's other fields say"))
  }
}

extension ModelGraph {
  /// `block_specs`; nil for a model that does not recur.
  package var blockSpecs: JSONObject? {
    guard let recurrence else { return nil }
    func specs(_ blocks: [Block]) -> [BlockSpec] { blocks.map(\.spec) }
    return BlockSpecTable(
      model: spec,
      groups: [
        ("prelude", specs(recurrence.prelude)), ("core", specs(recurrence.core)),
        ("coda", specs(recurrence.coda)),
      ], sizes: sizes
    ).json
  }
}

extension BlockSpec {
  /// Where another spec first says something else, up to float32.
  func difference(
    from other: BlockSpec, _ sizes: ModelSizes, at path: String
  ) -> JSONValue.Difference? {
    JSONValue.object(json(sizes)).difference(
      from: .object(other.json(sizes)), at: path, asFloats: true)
  }
}

extension ModelSpec {
  /// Where another spec first says something else, up to float32.
  func difference(from other: ModelSpec, at path: String) -> JSONValue.Difference? {
    JSONValue.object(json).difference(from: .object(other.json), at: path, asFloats: true)
  }
}

extension ModelSpec {
  fileprivate var json: JSONObject {
    [
      "embedding_multiplier": number(embeddingMultiplier), "final_norm": .object(finalNorm.json),
      "logits_divisor": number(logitsDivisor), "logit_softcap": number(logitSoftcap),
    ]
  }
}

extension BlockSpec {
  fileprivate func json(_ sizes: ModelSizes) -> JSONObject {
    [
      "attention": .object(attention.json(sizes)),
      "mlp": .object(mlp.json),
      "norms": .array(
        norms.map { norm in
          var fields = norm.spec.json
          fields["place"] = .string(norm.place.name)
          return .object(fields)
        }),
      "residual_multiplier": number(residualMultiplier),
    ]
  }
}

extension AttentionSpec {
  fileprivate func json(_ sizes: ModelSizes) -> JSONObject {
    let window: JSONValue = if case .window(let width) = visible { JSONValue(width) } else { .null }
    var fields: JSONObject = [
      "window": window, "rotary": rotary.map { .object($0.json(sizes)) } ?? .null,
      "scale": number(scale), "softcap": number(softcap),
      "norm": queryKeyNorm.map { .object($0.json) } ?? .null,
      "qkv_bias": .bool(queryKeyValueBias), "output_bias": .bool(outputBias),
    ]
    if queryKeyBias { fields["qk_bias"] = true }
    return fields
  }
}

extension MLPSpec {
  fileprivate var json: JSONObject {
    var fields: JSONObject = ["activation": .string(activation.name), "bias": .bool(bias)]
    if let experts {
      fields["experts"] = [
        "count": JSONValue(experts.count), "chosen": JSONValue(experts.chosen),
        "width": JSONValue(experts.width), "normalised": .bool(experts.isNormalised),
        "balance": number(experts.balance),
      ]
    }
    return fields
  }
}

extension NormSpec {
  fileprivate var json: JSONObject { ["offset": number(offset), "epsilon": number(epsilon)] }
}

extension QueryKeyNorm {
  fileprivate var json: JSONObject {
    var fields = spec.json
    fields["extent"] = extent == .head ? "head" : "all"
    return fields
  }
}

extension RotaryEmbedding {
  fileprivate func json(_ sizes: ModelSizes) -> JSONObject {
    var fields: JSONObject = [
      "theta": number(theta), "dimensions": JSONValue(dimensions ?? sizes.headSize),
    ]
    if isInterleaved { fields["interleaved"] = true }
    let (kind, more) = scaling.json
    fields["type"] = .string(kind)
    for member in more.members { fields[member.key] = member.value }
    return fields
  }
}

extension RotaryEmbedding.Scaling {
  /// Its name, and its numbers.
  fileprivate var json: (String, JSONObject) {
    switch self {
    case .none: ("default", [:])
    case .linear(let factor): ("linear", ["factor": number(factor)])
    case .dynamic(let factor, let original):
      ("dynamic", ["factor": number(factor), "original_context": JSONValue(original)])
    case .llama3(let factor, let low, let high, let original):
      (
        "llama3",
        [
          "factor": number(factor), "low": number(low), "high": number(high),
          "original_context": JSONValue(original),
        ]
      )
    case .yarn(let yarn):
      (
        "yarn",
        [
          "factor": number(yarn.factor), "original_context": JSONValue(yarn.originalContext),
          "beta_fast": number(yarn.betaFast), "beta_slow": number(yarn.betaSlow),
          "truncate": .bool(yarn.isTruncated), "magnitude": number(yarn.magnitude),
        ]
      )
    case .longRoPE(let long):
      (
        "longrope",
        [
          "short": .array(long.short.map(number)), "long": .array(long.long.map(number)),
          "original_context": JSONValue(long.originalContext),
          "magnitude": number(long.magnitude),
        ]
      )
    }
  }
}

extension Activation {
  fileprivate var name: String {
    switch self {
    case .silu: "silu"
    case .gelu: "gelu"
    case .geluTanh: "gelu_tanh"
    }
  }
}

extension BlockNorm.Place {
  fileprivate var name: String {
    switch self {
    case .attentionInput: "attention_input"
    case .attentionOutput: "attention_output"
    case .attentionSum: "attention_sum"
    case .mlpInput: "mlp_input"
    case .mlpOutput: "mlp_output"
    case .mlpSum: "mlp_sum"
    }
  }
}

/// A finite number, as all of a graph's are.
private func number(_ value: Double) -> JSONValue { .number(JSONNumber(value)) }

private func number(_ value: Double?) -> JSONValue { value.map { number($0) } ?? .null }
