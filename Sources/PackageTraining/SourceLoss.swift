import ByteIO
import Kernels
import ModelGraph
import Models
import Tokenizers
import Training
import Transformer

/// The loss of the model that a package was made from, on the rows that the package's run holds out.
struct SourceLoss {
  private let source: OpenedModel
  private let model: OpenedModel

  /// - Throws: `UsageError` when the models do not have the same number of tokens.
  init(of source: OpenedModel, beside model: OpenedModel) throws {
    let (found, wanted) = (source.graph.sizes.vocabulary, model.graph.sizes.vocabulary)
    guard found == wanted else {
      throw UsageError(
        "\(source.path) has \(found) tokens, but the model to train has \(wanted)",
        hint: "give --source the model that the package was made from")
    }
    self.source = source
    self.model = model
  }

  /// - Parameter samples: What it is to go on after; nil for nothing.
  /// - Throws: `UsageError` where nothing is evaluated, or the models' tokens are not the same text.
  func measured(
    _ data: Dataset, _ settings: TrainingSettings, _ samples: RunSamples?,
    over exchange: any GradientExchange, on compute: Compute
  ) throws -> EvaluationRecord.Source {
    let rows = try data.heldOutRows(limit: settings.evaluation.rows)
    let isEvaluated = model.graph.recurrence == nil || !settings.evaluation.recurrences.isEmpty
    guard isEvaluated, !rows.isEmpty else {
      throw UsageError(
        "nothing is evaluated that --source could be compared on",
        hint: "set data.held_out and evaluation.recurrences to leave rows to evaluate")
    }
    try exchange.together { try checkTokens(rows) }
    let loaded = try exchange.together { try source.load(on: compute) }
    let loss = try HeldOutLoss(of: rows, settings, over: exchange).measured { batch in
      let scores = try loaded.scores(Batch(batch), labels: batch.labels)
      return Self.sums(scores.map(\.nats), batch)
    }
    let count = source.graph.parameters.reduce(0) { $0 + $1.elementCount }
    return EvaluationRecord.Source(
      name: source.path.split(separator: "/").last.map(String.init) ?? source.path,
      loss: loss.mean, parameters: count,
      texts: samples?.continuations(by: loaded, recurrence: nil) ?? [])
  }

  /// The rows' tokens must be the same text to both: other numbers for them would be no loss of the
  /// source at all.
  private func checkTokens(_ rows: [[UInt32]]) throws {
    let (own, other) = (try model.tokenizer(), try source.tokenizer())
    for row in rows {
      let ids = row.map { Int32(bitPattern: $0 & TokenMark.id) }
      guard try own.decode(ids) == other.decode(ids) else {
        throw UsageError(
          "the tokenizer of \(source.path) is not that of the model to train",
          hint: "give --source the model that the package was made from")
      }
    }
  }

  /// Of each row.
  private static func sums(_ nats: [Double], _ batch: TokenBatch) -> [LossSum] {
    var nats = nats[...]
    return batch.targetCounts.map { count in
      defer { nats = nats.dropFirst(count) }
      return LossSum(nats: nats.prefix(count).reduce(0, +), count: count)
    }
  }
}
