import Charts
import ModelGraph
import RecurrentPackage
import Training
import Verification

extension ReportPage {
  /// What to type first of all.
  package var next: String { commands.first?.command ?? NextCommand.runs(runs.map(\.path)) }

  /// What to type next.
  var goOn: Markup {
    if commands.isEmpty { return "" }
    let rows = commands.map { (name: $0.what, value: Self.code($0.command)) }
    return "<section><h2>What to do next</h2>\n\(Self.facts(rows))</section>\n"
  }

  private var commands: [Step] {
    var commands = unfinished
    if let trained {
      commands.append(("check it", NextCommand.verify(trained.package)))
      commands += use(trained.package, recurrence: trained.recurrence)
      commands.append(
        (
          "train on, to N steps in all, from the model that the run began with",
          NextCommand.extend(trained.run)
        ))
    }
    if let package, package.path != trained?.package { commands += steps(with: package) }
    if runs.count > 1 {
      commands.append(("compare the runs in a terminal", NextCommand.runs(runs.map(\.path))))
    }
    return commands
  }

  private typealias Step = (what: String, command: String)

  /// Runs that have not come to their end.
  private var unfinished: [Step] {
    runs.compactMap { run in
      guard let settings = run.settings, settings.steps > run.steps.last?.step ?? 0 else {
        return nil
      }
      return ("go on with \(run.name)", NextCommand.resume(run.path))
    }
  }

  /// What the last of the runs gave.
  private var trained: (run: String, package: String, recurrence: Int?)? {
    runs.last { $0.package != nil }.flatMap { run in
      run.package.map { (run.path, $0, run.meantRecurrence) }
    }
  }

  private func use(_ path: String, recurrence: Int?) -> [Step] {
    var steps: [Step] = [
      ("try it", NextCommand.generate(path, recurrence: recurrence)),
      ("measure it", NextCommand.eval(path, mean: recurrence)),
    ]
    guard recurrence != nil else { return steps }
    if package?.path != path || package?.verification?.ownCertificate == nil {
      steps.append(
        ("find out how deep is safe", NextCommand.stability(path, report: Manifest.report)))
    }
    steps.append(("use it in transformers", NextCommand.export(path)))
    return steps
  }

  /// With the package that the page is about: what one that is not healed yet wants comes first.
  private func steps(with package: PackageSummary) -> [Step] {
    let (path, mean) = (package.path, package.graph.recurrence?.meanRecurrence)
    let use = use(path, recurrence: mean)
    if package.manifest?.isTrained ?? true { return [("check it", NextCommand.verify(path))] + use }
    let prove: Step = (
      "prove \(package.name) against its source", NextCommand.verify(path, source: "SOURCE")
    )
    if !runs.isEmpty { return [prove] }
    return [prove, ("heal it", NextCommand.train(path))] + use
  }

  /// A command whose words break only where they do not fit into a line.
  private static func code(_ command: String) -> Markup {
    let words = command.split(separator: " ").map { "<span>\(String($0))</span>" as Markup }
    return "<code>" + words.dropFirst().reduce(words.first ?? "") { $0 + " " + $1 } + "</code>"
  }
}
