import ByteIO
import Charts
import JSON
import PackageTraining
import Reports
import Training
import Transformer

/// What a training run gave, or the recipe or the data of one.
enum TrainReport: Report {
  case recipe(TrainingSettings, for: String)
  case prepared(PreparedData, for: String)
  case run(TrainingOutcome, hasColor: Bool)
  /// The first process of a group reports.
  case elsewhere

  static let command = "train"

  var isSilent: Bool { if case .elsewhere = self { true } else { false } }

  var warnings: [Warning] {
    switch self {
    case .prepared(let data, _): data.warnings
    case .run(let outcome, _): outcome.warnings
    default: []
    }
  }

  var next: String? {
    switch self {
    case .prepared(let data, let model): NextCommand.train(model, recipe: data.recipe)
    case .run(let outcome, _): outcome.next
    case .recipe(_, let model): NextCommand.train(model, recipe: "FILE")
    case .elsewhere: nil
    }
  }

  var json: JSONObject {
    switch self {
    case .elsewhere: return [:]
    case .recipe(let settings, _): return ["recipe": .string(TrainingRecipe.text(of: settings))]
    case .prepared(let data, _): return data.json
    case .run(let outcome, _):
      let progress = outcome.progress
      return [
        "run": .string(outcome.run.path), "package": outcome.path(outcome.run.package),
        "factors": outcome.path(outcome.run.factors),
        "report": outcome.path(outcome.run.report),
        "steps": JSONValue(progress.step), "tokens": JSONValue(progress.tokens),
        "updates": JSONValue(progress.updates), "skipped_steps": JSONValue(progress.skipped),
        "skipped_records": JSONValue(outcome.skippedRecords),
        "loss": outcome.steps.last.map { JSONValue($0.loss) } ?? .null,
        "flops": JSONValue(progress.flops), "flops_full": JSONValue(progress.fullFLOPs),
        "seconds": JSONValue(progress.seconds),
        "memory": [
          "bytes": JSONValue(outcome.byteCount),
          "activation_bytes": JSONValue(outcome.plan.byteCount),
          "sequences_at_once": JSONValue(outcome.plan.sequences),
          "block_executions": JSONValue(outcome.plan.executions),
          "block_executions_kept": JSONValue(outcome.plan.kept),
        ],
        "evaluations": .array(outcome.evaluations.map(\.json)),
      ]
    }
  }

  var text: String {
    switch self {
    case .recipe(let settings, _): TrainingRecipe.text(of: settings)
    case .prepared(let data, _): data.text
    case .run(let outcome, let hasColor): outcome.text(hasColor: hasColor)
    case .elsewhere: ""
    }
  }
}

extension TrainingOutcome {
  /// What was not evaluated yet is; where only factors were written, others read them.
  fileprivate var next: String {
    guard written.contains(run.package) else { return NextCommand.report([run.path]) }
    return evaluations.isEmpty
      ? NextCommand.eval(run.package, mean: recurrence)
      : NextCommand.generate(run.package, recurrence: recurrence)
  }

  /// A path that the run has written; null when it has not.
  fileprivate func path(_ path: String) -> JSONValue {
    written.contains(path) ? .string(path) : .null
  }

  fileprivate func text(hasColor: Bool) -> String {
    var text = chart.terminal(hasColor: hasColor) + "\n"
    if let first = evaluations.first, let last = evaluations.last, evaluations.count > 1 {
      var table = TextTable([
        ("Held-out loss", .left), ("step \(first.step)", .right), ("step \(last.step)", .right),
      ])
      for (before, after) in zip(first.results, last.results) {
        let name = before.recurrence.map { "r = \($0)" } ?? "all layers"
        table.add([name, fixed(before.loss, 4), fixed(after.loss, 4)])
        if let before = before.answers, let after = after.answers {
          table.add([name + ", answers", fixed(before.loss, 4), fixed(after.loss, 4)])
          table.add([
            name + ", exact, %", fixed(100 * before.exact, 1), fixed(100 * after.exact, 1),
          ])
        }
      }
      if let source = first.source { table.add(["source", fixed(source.loss, 4), ""]) }
      text += table.text() + "\n"
    }
    let speed = Double(progress.tokens) / max(progress.seconds, 1e-9)
    text +=
      "\(progress.step) steps, \(grouped(progress.tokens)) tokens, \(scientific(progress.flops))"
      + " FLOPs, \(fixed(speed, 0)) tokens/s\n"
    if progress.skipped > 0 { text += "\(progress.skipped) steps skipped\n" }
    if skippedRecords > 0 { text += "\(skippedRecords) bad records left out\n" }
    for (name, path) in [
      ("Package", run.package), ("Factors", run.factors), ("Curve  ", run.curve),
      ("Report ", run.report),
    ]
    where written.contains(path) { text += "\(name)  \(path)\n" }
    return text
  }
}
