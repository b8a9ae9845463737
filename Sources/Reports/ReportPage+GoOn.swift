import Charts
import ModelGraph
import RecurrentPackage
import Training
import Verification

extension ReportPage {
  /// What to type next.
  var goOn: Markup {
    var commands: [(what: String, command: String)] = []
    for run in runs {
      guard let settings = run.settings, settings.steps > run.steps.last?.step ?? 0 else {
        continue
      }
      commands.append(("go on with \(run.name)", NextCommand.resume(run.path)))
    }
    if let package {
      let path = package.path
      let mean = package.graph.recurrence?.meanRecurrence
      let isHealed = package.manifest?.isTrained ?? true
      commands.append(
        isHealed
          ? ("check it", NextCommand.verify(path))
          : ("prove it against its source", NextCommand.verify(path, source: "SOURCE")))
      if mean != nil, !isHealed, runs.isEmpty {
        commands.append(("heal it", NextCommand.train(path)))
      }
      commands += [
        ("try it", NextCommand.generate(path, recurrence: mean)),
        ("measure it", NextCommand.eval(path, mean: mean)),
      ]
      if mean != nil {
        if package.manifest != nil, package.certificate?.certificate == nil {
          commands.append(
            ("find out how deep is safe", NextCommand.stability(path, report: Manifest.report)))
        }
        commands.append(("use it in transformers", NextCommand.export(path)))
      }
    }
    if runs.count > 1 {
      commands.append(("compare the runs in a terminal", NextCommand.runs(runs.map(\.path))))
    }
    if commands.isEmpty { return "" }
    let rows = commands.map { (name: $0.what, value: Self.code($0.command)) }
    return "<section><h2>What to do next</h2>\n\(Self.facts(rows))</section>\n"
  }

  /// A command whose words break only where they do not fit into a line.
  private static func code(_ command: String) -> Markup {
    let words = command.split(separator: " ").map { "<span>\(String($0))</span>" as Markup }
    return "<code>" + words.dropFirst().reduce(words.first ?? "") { $0 + " " + $1 } + "</code>"
  }
}
