import ByteIO
import JSON
import Kernels
import ModelGraph
import Tensors
import Transformer

/// Compares a package at r = 1 with a straight line of the layers it was made from: every bit must
/// agree, since both run the same kernels on the same values.
struct ParityChecks {
  /// What the straight line of layers gave.
  let wanted: ForwardResult
  /// Tokens that both ran on.
  let batch: Batch

  /// Runs a package, and compares embedding, every block's output, the final norm and the logits.
  ///
  /// - Parameter usesAdapter: Runs the adapter as it is, which a pass-through adapter must allow;
  ///   otherwise the prelude's output is fed to the core directly.
  func run(_ model: Model, usesAdapter: Bool) throws -> [Check] {
    let found = try model.withoutCoreNorm().forward(
      batch, ForwardOptions(recurrence: 1, bypassesAdapter: !usesAdapter, keepsHidden: true))
    return [
      hidden(found, model.graph, usesAdapter: usesAdapter),
      logits(found, model.graph.sizes.vocabulary),
    ]
  }

  private func hidden(
    _ found: ForwardResult, _ graph: ModelGraph, usesAdapter: Bool
  ) -> Check {
    let name = usesAdapter ? "parity.hidden" : "parity.hidden_bypassed"
    guard let found = found.hidden, let wanted = wanted.hidden, found.rows == wanted.rows,
      found.columns == wanted.columns
    else {
      return Check(name, .failed, "the two models differ in layers or in width")
    }
    var names = graph.placeNames
    names[names.count - 1] += " and final norm"
    let rows = batch.tokens.count
    for (i, place) in names.enumerated() {
      let range = (i * rows)..<((i + 1) * rows)
      let distance = Distance(found.rows(range).floats, from: wanted.rows(range).floats)
      guard distance.isExact else {
        var measures = distance.json(limit: 0)
        measures["place"] = .string(place)
        return Check(
          name, .failed,
          "the first hidden state that differs is that after \(place): relative norm "
            + "\(scientific(distance.relativeNorm)), largest difference "
            + scientific(distance.maximumAbsolute),
          measures: measures)
      }
    }
    return Check(
      name, .passed,
      "\(names.count) hidden states equal at r = 1, bit for bit"
        + (usesAdapter ? ", adapter included" : ", adapter bypassed")
        + (graph.recurrence?.coreNorm == nil ? "" : ", norm after the core bypassed"),
      measures: [
        "states": JSONValue(names.count), "relative_norm": JSONValue(0.0),
        "relative_norm_limit": JSONValue(0.0),
      ])
  }

  private func logits(_ found: ForwardResult, _ vocabulary: Int) -> Check {
    guard let found = found.logits?.floats, let wanted = wanted.logits?.floats,
      found.count == wanted.count
    else { return Check("parity.logits", .failed, "the vocabularies differ") }
    let distance = Distance(found, from: wanted)
    guard distance.isFinite else {
      return Check("parity.logits", .failed, "logits are not finite")
    }
    let agreement = PredictionAgreement(
      found, from: wanted, vocabulary: vocabulary)
    var measures = distance.json(limit: 0)
    for member in agreement.json.members { measures[member.key] = member.value }
    let detail =
      "logits at r = 1: NMSE \(scientific(distance.nmse)), KL \(scientific(agreement.meanKL)), "
      + "top-1 \(fixed(agreement.top1, 3)), top-10 \(fixed(agreement.top10, 3))"
    return Check(
      "parity.logits", distance.isExact ? .passed : .failed, detail, measures: measures)
  }
}
