import ByteIO
import JSON
import ModelGraph
import Recurrence

/// A row of the table of a model's parts.
struct PartCount: Equatable {
  var name: String
  var parameters: Int
  /// What a reader should know of the part, such as its number of blocks.
  var note = ""
}

extension ModelGraph {
  /// Parameters by part, in order of execution.
  var parts: [PartCount] {
    let counts = ParameterCounts(self)
    func number(_ blocks: [Block]) -> String {
      blocks.count == 1 ? "1 block" : "\(blocks.count) blocks"
    }
    var parts = [PartCount(name: "embedding", parameters: counts.embedding)]
    switch body {
    case .plain(let blocks):
      parts.append(PartCount(name: "layers", parameters: counts.layers, note: number(blocks)))
    case .recurrent(let body):
      parts += [
        PartCount(name: "prelude", parameters: counts.prelude, note: number(body.prelude)),
        PartCount(name: body.injection.kind.part, parameters: counts.adapter),
        PartCount(
          name: "core", parameters: counts.core, note: number(body.core) + ", run r times"),
      ]
      if body.coreNorm != nil {
        parts.append(PartCount(name: "core norm", parameters: counts.coreNorm))
      }
      if !body.exitGate.isEmpty {
        parts.append(
          PartCount(name: "exit gate", parameters: counts.exitGate, note: "not read, only copied"))
      }
      parts.append(PartCount(name: "coda", parameters: counts.coda, note: number(body.coda)))
    }
    let headNote = head == nil ? "tied to the embedding" : ""
    parts += [
      PartCount(name: "final norm", parameters: counts.finalNorm),
      PartCount(name: "head", parameters: counts.head, note: headNote),
    ]
    return parts
  }

  var partTable: TextTable {
    var table = TextTable([.left, .right, .left])
    for part in parts { table.add([part.name, grouped(part.parameters), part.note]) }
    let total = parts.reduce(0) { $0 + $1.parameters }
    table.add(["total", grouped(total), ""])
    if activeParameters != total {
      table.add(["active", grouped(activeParameters), "with the experts that a token chooses"])
    }
    return table
  }

  /// Parameters that a token meets: of each block's experts those that it chooses.
  var activeParameters: Int { ParameterCounts(self, isActive: true).total }

  var architectureLine: String {
    var traits = ["\(family)", "\(blocks.count) layers"]
    // What one block has and another has not is a trait too.
    for trait in blocks.flatMap(\.spec.traits) where !traits.contains(trait) {
      traits.append(trait)
    }
    traits.append(head == nil ? "tied head" : "untied head")
    return traits.joined(separator: ", ")
  }

  var sizesLine: String {
    "hidden \(sizes.hidden), ffn \(sizes.intermediate), \(sizes.heads) heads"
      + (sizes.keyValueHeads == sizes.heads ? "" : " (\(sizes.keyValueHeads) for keys and values)")
      + " of \(sizes.headSize), vocabulary \(sizes.vocabulary), context \(sizes.context)"
  }

  /// Base of the rotary frequencies: a list where kinds of layers have their own.
  private var ropeTheta: JSONValue {
    var bases: [Double] = []
    for base in blocks.compactMap(\.spec.attention.rotary?.theta) where !bases.contains(base) {
      bases.append(base)
    }
    return bases.count == 1 ? JSONValue(bases[0]) : .array(bases.map { JSONValue($0) })
  }

  /// Nil for a source model.
  var recurrenceLine: String? {
    guard let body = recurrence else { return nil }
    func layers(_ blocks: [Block]) -> String {
      blocks.isEmpty ? "none" : rangeList(blocks.map(\.sourceLayer))
    }
    return "prelude \(layers(body.prelude)), core \(layers(body.core)), coda \(layers(body.coda))"
      + " of the source; \(body.injection.kind.rawValue) injection; mean r \(body.meanRecurrence)"
  }

  var summary: JSONValue {
    var object: JSONObject = [
      "family": .string(family), "layers": JSONValue(blocks.count),
      "hidden_size": JSONValue(sizes.hidden), "intermediate_size": JSONValue(sizes.intermediate),
      "heads": JSONValue(sizes.heads), "key_value_heads": JSONValue(sizes.keyValueHeads),
      "head_size": JSONValue(sizes.headSize), "vocabulary": JSONValue(sizes.vocabulary),
      "context": JSONValue(sizes.context), "norm_epsilon": JSONValue(spec.finalNorm.epsilon),
      "rope_theta": ropeTheta, "tied_head": .bool(head == nil),
      "parts": .object(
        JSONObject(parts.map { .init(key: $0.name, value: JSONValue($0.parameters)) })),
    ]
    if blocks.contains(where: { $0.spec.mlp.experts != nil }) {
      object["active_parameters"] = JSONValue(activeParameters)
    }
    if let body = recurrence {
      func layers(_ blocks: [Block]) -> JSONValue {
        .array(blocks.map { JSONValue($0.sourceLayer) })
      }
      object["recurrence"] = [
        "prelude": layers(body.prelude), "core": layers(body.core), "coda": layers(body.coda),
        "injection": .string(body.injection.kind.rawValue),
        "mean_recurrence": JSONValue(body.meanRecurrence),
        "mean_backprop_depth": JSONValue(body.meanBackpropDepth),
      ]
    }
    return .object(object)
  }
}

extension BlockSpec {
  /// What is not as in every block, in words.
  fileprivate var traits: [String] {
    var traits: [String] = []
    let places = Set(norms.map(\.place))
    if places.isSuperset(of: [.attentionInput, .attentionOutput]) {
      traits.append("norms before and after")
    } else {
      traits.append(places.contains(.attentionOutput) ? "norms after" : "norms before")
    }
    switch attention.queryKeyNorm?.extent {
    case nil: break
    case .head: traits.append("q/k norm per head")
    case .all: traits.append("q/k norm over the full width")
    }
    if places.contains(.attentionSum) { traits.append("norms on the sums") }
    if attention.queryKeyBias { traits.append("q/k bias") }
    if attention.rotary?.isInterleaved ?? false { traits.append("interleaved positions") }
    if attention.queryKeyValueBias { traits.append("q/k/v bias") }
    if case .window(let width) = attention.visible { traits.append("window of \(width)") }
    if attention.rotary == nil { traits.append("layers without positions") }
    if let experts = mlp.experts {
      traits.append("\(experts.chosen) of \(experts.count) experts of width \(experts.width)")
    }
    if mlp.activation != .silu { traits.append(mlp.activation == .gelu ? "GELU" : "GELU (tanh)") }
    return traits
  }
}
