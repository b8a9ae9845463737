import ByteIO
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
      let path = shellWord(run.path)
      commands.append(("go on with \(run.name)", "ckpt train MODEL -o \(path) --resume"))
    }
    if let package {
      let path = shellWord(package.path)
      let depth = package.graph.recurrence.map { " --recurrence \($0.meanRecurrence)" } ?? ""
      let depths = package.graph.recurrence == nil ? "" : " --recurrence 1,2,4,8"
      commands += [
        ("prove it against its source", "ckpt verify \(path) --source SOURCE"),
        ("try it", "ckpt generate \(path) --prompt TEXT\(depth)"),
        ("measure it", "ckpt eval \(path) --data FILE\(depths)"),
      ]
      if package.graph.recurrence != nil {
        if package.manifest != nil, package.certificate?.certificate == nil {
          commands.append(
            (
              "find how deep is safe",
              "ckpt verify \(path) --stability FILE --report \(path)/\(Manifest.report)"
            ))
        }
        if runs.isEmpty {
          commands.append(("heal it", "ckpt train \(path) --data FILE -o RUN"))
        }
        commands.append(
          ("use it elsewhere", "ckpt export \(path) --to transformers -o FOLDER"))
      }
    }
    if runs.count > 1 {
      let paths = runs.map { shellWord($0.path) }.joined(separator: " ")
      commands.append(("compare the runs in a terminal", "ckpt runs \(paths)"))
    }
    if commands.isEmpty { return "" }
    let rows = commands.map { (name: $0.what, value: "<code>\($0.command)</code>" as Markup) }
    return "<section><h2>To go on</h2>\n\(Self.facts(rows))</section>\n"
  }
}
