import ByteIO
import JSON
import Kernels
import ModelGraph
import Tensors
import Transformer

/// Compares a package at r = 1 with a straight line of the layers it was made from.
struct ParityChecks {
  /// Largest relative norm that counts as equal where weights were rounded on the way.
  static let roundedLimit = 0.05

  let package: ReadableModel
  /// The source model, or the package's own tensors in a straight line.
  let reference: ReadableModel
  /// Blocks of the reference, in the order of the package's.
  let selection: [Int]
  let tokens: ProbeTokens
  /// Whether every weight has the source's value, so that every bit must agree.
  let isExact: Bool

  /// Runs both, and compares embedding, every block's output, the final norm and the logits.
  ///
  /// - Parameter usesAdapter: Runs the adapter as it is, which a pass-through adapter must allow;
  ///   otherwise the prelude's output is fed to the core directly.
  func run(usesAdapter: Bool, on workers: Workers) throws -> [Check] {
    let batch = try Batch(tokens: tokens.tokens, sequences: tokens.sequences)
    let wanted = try Model(reference.graph, from: reference.source, on: workers)
      .forward(batch, ForwardOptions(blocks: selection, keepsHidden: true))
    let found = try Model(package.graph.withoutCoreNorm, from: package.source, on: workers)
      .forward(
        batch,
        ForwardOptions(
          recurrence: 1, bypassesAdapter: !usesAdapter, keepsHidden: true))
    return [hidden(found, wanted, usesAdapter: usesAdapter), logits(found, wanted)]
  }

  private func hidden(
    _ found: ForwardResult, _ wanted: ForwardResult, usesAdapter: Bool
  ) -> Check {
    let name = usesAdapter ? "parity.hidden" : "parity.hidden_bypassed"
    guard let found = found.hidden, let wanted = wanted.hidden, found.rows == wanted.rows else {
      return Check(name, .failed, "the two models run a different number of layers")
    }
    var names = package.graph.placeNames
    names[names.count - 1] += " and final norm"
    let rows = tokens.tokens.count
    var worst = 0.0
    for (i, place) in names.enumerated() {
      let range = (i * rows)..<((i + 1) * rows)
      let distance = Distance(found.rows(range).floats, from: wanted.rows(range).floats)
      worst = max(worst, distance.relativeNorm)
      guard isWithin(distance) else {
        return Check(
          name, .failed,
          "the first hidden state that differs is that after \(place): relative norm "
            + "\(scientific(distance.relativeNorm)), largest difference \(scientific(distance.maximumAbsolute))",
          measures: distance.json)
      }
    }
    let how = isExact ? "bit for bit" : "within \(Self.roundedLimit) (largest \(scientific(worst)))"
    return Check(
      name, .passed,
      "\(names.count) hidden states equal at r = 1, \(how)"
        + (usesAdapter ? ", adapter included" : ", adapter bypassed")
        + (package.graph.recurrence?.coreNorm == nil ? "" : ", norm after the core bypassed"),
      measures: ["states": JSONValue(names.count), "relative_norm": JSONValue(worst)])
  }

  private func logits(_ found: ForwardResult, _ wanted: ForwardResult) -> Check {
    guard let found = found.logits?.floats, let wanted = wanted.logits?.floats,
      found.count == wanted.count
    else { return Check("parity.logits", .failed, "the vocabularies differ") }
    let distance = Distance(found, from: wanted)
    guard distance.isFinite else {
      return Check("parity.logits", .failed, "logits are not finite")
    }
    let agreement = PredictionAgreement(
      found, from: wanted, vocabulary: package.graph.sizes.vocabulary)
    var measures = distance.json
    for member in agreement.json.members { measures[member.key] = member.value }
    let detail =
      "logits at r = 1: NMSE \(scientific(distance.nmse)), KL \(scientific(agreement.meanKL)), "
      + "top-1 \(fixed(agreement.top1, 3)), top-10 \(fixed(agreement.top10, 3))"
    return Check(
      "parity.logits", isWithin(distance) ? .passed : .failed, detail, measures: measures)
  }

  private func isWithin(_ distance: Distance) -> Bool {
    isExact
      ? distance.isExact : distance.isFinite && distance.relativeNorm <= Self.roundedLimit
  }
}

extension ModelGraph {
  /// The same layers without the norm after the core, which no source model has.
  fileprivate var withoutCoreNorm: ModelGraph {
    guard case .recurrent(var body) = body else { return self }
    body.coreNorm = nil
    var graph = self
    graph.body = .recurrent(body)
    return graph
  }
}
