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
      With --group, runs that differ only in their seed become one line: their mean held-out loss once \
      each has cost as many FLOPs, everything counted, as the cheapest run, with its 95 % interval. \
      Between two evaluations the loss is interpolated linearly.

      Example:
        ckpt runs run-muon run-adamw
        ckpt runs recurrent static --svg compare.svg
        ckpt runs --group retrofit=r-1,r-2,r-3 --group original=o-1,o-2,o-3
      """)

  @Argument(help: "Run folders.", completion: .file()) var runs: [String] = []
  @Option(
    help: ArgumentHelp(
      "Runs that differ only in their seed; repeatable.", valueName: "name=run,run"))
  var group: [RunGroup] = []
  @Option(help: "What to draw the loss against; both by default.")
  var against: RunSummary.Axis?
  @Option(help: "File to write the chart to, as SVG.", completion: .file()) var svg: String?
  @OptionGroup var replacement: ForceOption
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard !runs.isEmpty || !group.isEmpty else {
      throw ValidationError("Name run folders, or groups of them with --group NAME=RUN,RUN.")
    }
    guard Set(group.map(\.name)).count == group.count else {
      throw ValidationError("Two groups have the same name.")
    }
  }

  func perform(_ console: Console) throws -> RunsReport {
    let summaries = try RunSummary.reading(runs + group.flatMap(\.runs))
    let comparison = try compared(summaries.suffix(group.reduce(0) { $0 + $1.runs.count }))
    let axes = against.map { [$0] } ?? RunSummary.Axis.allCases
    let report = RunsReport(
      runs: summaries, comparison: comparison,
      charts: axes.map { RunSummary.comparison(summaries, by: $0) },
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

  private func compared(_ summaries: ArraySlice<RunSummary>) throws -> EqualFLOPs? {
    if group.isEmpty { return nil }
    var rest = summaries
    let groups = group.map { group in
      defer { rest = rest.dropFirst(group.runs.count) }
      return EqualFLOPs.Group(name: group.name, runs: Array(rest.prefix(group.runs.count)))
    }
    guard let comparison = EqualFLOPs(groups) else {
      throw UsageError(
        "a run of a group has no evaluation on held-out rows",
        hint: "train with data.held_out and evaluation.recurrences, or leave the run out")
    }
    return comparison
  }
}

/// Runs that differ by their seed, as an option names them.
struct RunGroup: ExpressibleByArgument {
  let name: String
  let runs: [String]

  init?(argument: String) {
    guard let equals = argument.firstIndex(of: "=") else { return nil }
    name = String(argument[..<equals])
    runs = argument[argument.index(after: equals)...].split(separator: ",").map(String.init)
    if name.isEmpty || runs.isEmpty { return nil }
  }
}

/// Several runs side by side.
struct RunsReport: Report {
  static let command = "runs"

  var runs: [RunSummary]
  /// Groups of runs, if any are named.
  var comparison: EqualFLOPs?
  /// One under another.
  var charts: [LineChart]
  var hasColor: Bool

  var next: String? { NextCommand.report(runs.map(\.path)) }

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
        }),
      "equal_flops": comparison.map { JSONValue($0.flops) } ?? .null,
      "groups": .array(
        (comparison?.groups ?? []).map { group in
          [
            "name": .string(group.name), "runs": .array(group.runs.map { .string($0.name) }),
            "results": .array(
              (comparison?.results(of: group) ?? []).map { result in
                [
                  "recurrence": JSONValue(result.recurrence), "loss": JSONValue(result.mean),
                  "margin": result.margin.map { JSONValue($0) } ?? .null,
                ]
              }),
          ]
        }),
    ]
  }

  /// The groups' losses at equal FLOPs.
  private var groupTable: String? {
    guard let comparison else { return nil }
    var table = TextTable([
      ("Group", .left), ("Runs", .right), ("r", .right), ("Held out", .right), ("±", .right),
    ])
    for group in comparison.groups {
      for result in comparison.results(of: group) {
        table.add([
          group.name, "\(group.runs.count)", result.recurrence.map { "\($0)" } ?? "-",
          fixed(result.mean, 4), result.margin.map { fixed($0, 4) } ?? "",
        ])
      }
    }
    return "At \(scientific(comparison.flops)) FLOPs, everything counted\n" + table.text()
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
    return
      ([table.text()] + [groupTable].compactMap { $0 }
      + charts.map { $0.terminal(hasColor: hasColor) })
      .joined(separator: "\n")
  }
}
