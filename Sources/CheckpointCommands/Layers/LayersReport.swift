import ByteIO
import JSON
import Recurrence
import Reports
import Verification

/// What `ckpt layers` measured, and the selection it proposes.
struct LayersReport: Report {
  static let command = "layers"

  var path: String
  var data: String
  var windows: Int
  var sequenceLength: Int
  /// One a layer of the model.
  var influences: [LayerInfluence]
  var selection: LayerSelection
  /// Nil where no loops were tried.
  var loops: LoopReport?

  /// Each layer's place by block influence, from 1, the highest; the earlier one first among equals.
  private var ranks: [Int] {
    let order = influences.indices.sorted {
      (-influences[$0].blockInfluence, $0) < (-influences[$1].blockInfluence, $1)
    }
    var ranks = [Int](repeating: 0, count: order.count)
    for (place, layer) in order.enumerated() { ranks[layer] = place + 1 }
    return ranks
  }

  /// The part of the proposal that each layer is in; nil for a dropped one.
  private var parts: [String?] {
    var parts = [String?](repeating: nil, count: influences.count)
    for layer in selection.prelude { parts[layer] = "prelude" }
    for layer in selection.core { parts[layer] = "core" }
    for layer in selection.coda { parts[layer] = "coda" }
    return parts
  }

  private var dropped: [Int] { selection.dropped(of: influences.count) }

  var json: JSONObject {
    let (ranks, parts) = (ranks, parts)
    func list(_ layers: [Int]) -> JSONValue { .array(layers.map { JSONValue($0) }) }
    var json: JSONObject = [
      "path": .string(path), "data": .string(data), "windows": JSONValue(windows),
      "sequence_length": JSONValue(sequenceLength),
      "layers": .array(
        influences.enumerated().map { layer, influence in
          [
            "layer": JSONValue(layer), "block_influence": JSONValue(influence.blockInfluence),
            "angular_distance": JSONValue(influence.angularDistance),
            "rank": JSONValue(ranks[layer]), "part": JSONValue(parts[layer]),
          ]
        }),
      "proposal": [
        "select": .string(selection.description), "prelude": list(selection.prelude),
        "core": list(selection.core), "coda": list(selection.coda), "dropped": list(dropped),
      ],
    ]
    if let loops { json["loops"] = .object(loops.json) }
    return json
  }

  var next: String? {
    NextCommand.retrofit(path, "--select \(loops?.best ?? selection.description)")
  }

  var text: String {
    let (ranks, parts) = (ranks, parts)
    let highest = influences.map(\.blockInfluence).max() ?? 0
    var table = TextTable([
      ("layer", .right), ("influence", .right), ("angle/π", .right), ("rank", .right),
      ("proposal", .left), ("", .left),
    ])
    for (layer, influence) in influences.enumerated() {
      table.add([
        "\(layer)", fixed(influence.blockInfluence, 5), fixed(influence.angularDistance, 4),
        "\(ranks[layer])", parts[layer] ?? "-",
        bar(highest > 0 ? influence.blockInfluence / highest : 0),
      ])
    }
    let rest = dropped.isEmpty ? "nothing" : LayerSelection.ranges(dropped)
    return "\(path) on \(data): \(windows) windows of \(sequenceLength) tokens\n" + table.text()
      + "\nproposed: --select \(selection), dropping \(rest)\n" + (loops?.text ?? "")
  }

  /// A bar of at most 32 cells, to an eighth of a cell.
  private func bar(_ share: Double) -> String {
    let eighths = Int((max(0, min(1, share)) * 32 * 8).rounded())
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
    return String(repeating: "█", count: eighths / 8) + part
  }
}
