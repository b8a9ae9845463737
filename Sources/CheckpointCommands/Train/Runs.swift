import ArgumentParser
import ByteIO
import Charts
import JSON
import Reports
import Training

extension RunSummary.Axis: ExpressibleByArgument {}

/// `ckpt runs`: compares training runs.
struct Runs: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Compare training runs in a table and a chart.",
    discussion: """
      Example:
        ckpt runs run-muon run-adamw
        ckpt runs recurrent static --svg compare.svg
      """)

  @Argument(help: "Run folders.", completion: .file()) var runs: [String]
  @Option(help: "What the loss is drawn against: tokens or flops; both without it.")
  var against: RunSummary.Axis?
  @Option(help: "File to write the chart to, as SVG.", completion: .file()) var svg: String?
  @OptionGroup var replacement: ForceOption
  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> RunsReport {
    let summaries = try RunSummary.reading(runs)
    let axes = against.map { [$0] } ?? RunSummary.Axis.allCases
    let report = RunsReport(
      runs: summaries, charts: axes.map { RunSummary.comparison(summaries, by: $0) },
      hasColor: console.hasColor)
    if let svg {
      let staged = try StagedOutput(
        at: svg, isFolder: false, force: replacement.force, inputs: [], needed: 0)
      var file = try OutputFile(creating: staged.temporary)
      try file.write(Array(LineChart.svg(stacking: report.charts).utf8))
      _ = try file.finish()
      try staged.publish()
    }
    return report
  }

}

/// Several runs side by side.
struct RunsReport: Report {
  static let command = "runs"

  var runs: [RunSummary]
  /// One under another.
  var charts: [LineChart]
  var hasColor: Bool

  var json: JSONObject {
    [
      "runs": .array(
        runs.map { run in
          [
            "name": .string(run.name), "steps": JSONValue(run.steps.last?.step),
            "tokens": JSONValue(run.steps.last?.tokens),
            "flops": run.steps.last.map { JSONValue($0.flops) } ?? .null,
            "flops_full": run.steps.last.map { JSONValue($0.fullFLOPs) } ?? .null,
            "loss": run.finalLoss.map { JSONValue($0) } ?? .null,
            "tokens_per_second": run.speed.map { JSONValue($0) } ?? .null,
            "evaluation": run.evaluations.last?.json ?? .null,
          ]
        })
    ]
  }

  private var recurrences: [Int?] {
    Set(runs.flatMap { $0.evaluations.last?.results.map(\.recurrence) ?? [] })
      .sorted { ($0 ?? 0) < ($1 ?? 0) }
  }

  var text: String {
    var table = TextTable(
      [
        ("Run", .left), ("Steps", .right), ("Tokens", .right), ("FLOPs", .right),
        ("FLOPs, full", .right), ("Loss", .right), ("Tokens/s", .right),
      ]
        + recurrences.map { ($0.map { "Held out, r = \($0)" } ?? "Held out", .right) })
    for run in runs {
      let last = run.steps.last
      let held = recurrences.map { recurrence in
        run.evaluations.last?.results.first { $0.recurrence == recurrence }
          .map { fixed($0.loss, 4) } ?? ""
      }
      table.add(
        [
          run.name, last.map { grouped($0.step) } ?? "0", last.map { grouped($0.tokens) } ?? "0",
          last.map { scientific($0.flops) } ?? "", last.map { scientific($0.fullFLOPs) } ?? "",
          run.finalLoss.map { fixed($0, 4) } ?? "", run.speed.map { fixed($0, 0) } ?? "",
        ] + held)
    }
    return ([table.text()] + charts.map { $0.terminal(hasColor: hasColor) })
      .joined(separator: "\n")
  }
}
