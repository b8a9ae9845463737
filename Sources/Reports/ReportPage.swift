import ByteIO
import Charts
import RecurrentPackage
import Training

/// One page about a package and the runs that trained it: a file that asks nothing of anybody.
package struct ReportPage {
  package var runs: [RunSummary]
  package var package: PackageSummary?

  package init(runs: [RunSummary], package: PackageSummary?) {
    self.runs = runs
    self.package = package
  }

  /// The same bytes for the same input: there is no clock in it.
  package var html: String {
    let title =
      "ckpt report: "
      + (runs.isEmpty ? package?.name ?? "" : runs.map(\.name).joined(separator: ", "))
    let page: Markup = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
      <title>\(title)</title>
      <style>\(Self.style)\(LineChart.style)</style>
      </head>
      <body>
      <main>
      <header><h1>\(title)</h1>
      \(summary)</header>
      \(package.map(section) ?? "")\(package.map(stability) ?? "")\(runs.map(section).joined())\(comparison)\(goOn)</main>
      <footer>Made by ckpt \(ToolVersion.current.text) from the files named here.</footer>
      </body>
      </html>

      """
    return page.source
  }

  /// What happened, in sentences.
  private var summary: Markup {
    var sentences: [Markup] = []
    if let package { sentences.append(package.sentence) }
    for run in runs { sentences.append(run.sentence) }
    return sentences.map { "<p>\($0)</p>\n" as Markup }.joined()
  }

  /// Several runs side by side.
  private var comparison: Markup {
    if runs.count < 2 { return "" }
    let table = Self.table(
      ["run", "steps", "tokens", "FLOPs", "loss", "tokens/s"],
      runs.map { run in
        [
          run.name, grouped(run.steps.last?.step ?? 0), grouped(run.steps.last?.tokens ?? 0),
          run.steps.last.map { scientific($0.flops) } ?? "–",
          run.finalLoss.map { fixed($0, 4) } ?? "–", run.speed.map { fixed($0, 0) } ?? "–",
        ]
      })
    let charts = RunSummary.Axis.allCases.map { RunSummary.comparison(runs, by: $0) }
    return """
      <section><h2>The runs compared</h2>
      \(table)\(equalFLOPs)\(Self.figures(charts + RunSummary.byRecurrence(runs)))</section>

      """
  }

  /// Held-out losses of the runs where all had cost as much.
  private var equalFLOPs: Markup {
    guard let equal = EqualFLOPs(runs.map { .init(name: $0.name, runs: [$0]) }) else { return "" }
    let results = equal.groups.map { equal.results(of: $0) }
    let recurrences = Set(results.flatMap { $0.map(\.recurrence) })
      .sorted { ($0 ?? 0) < ($1 ?? 0) }
    let table = Self.table(
      ["held-out loss"] + runs.map(\.name),
      recurrences.map { recurrence in
        [recurrence.map { "r = \($0)" } ?? "all layers"]
          + results.map { list in
            list.first { $0.recurrence == recurrence }.map { fixed($0.mean, 4) } ?? "–"
          }
      })
    return """
      <p class="quiet">At \(scientific(equal.flops)) FLOPs, which is what the cheapest of them cost in \
      all:</p>
      \(table)
      """
  }

  // MARK: Pieces

  static func figures(_ charts: [LineChart]) -> Markup {
    let figures = charts.map { "<figure>\($0.figure())</figure>\n" as Markup }
    return "<div class=\"charts\">\n\(figures.joined())</div>\n"
  }

  /// A table whose first column is names, and the others numbers.
  static func table(_ head: [String], _ rows: [[String]]) -> Markup {
    func cells(_ cells: [String], _ tag: Markup) -> Markup {
      cells.map { "<\(tag)>\($0)</\(tag)>" as Markup }.joined()
    }
    let body = rows.map { row in
      "<tr><th scope=\"row\">\(row.first ?? "")</th>\(cells(Array(row.dropFirst()), "td"))</tr>\n"
        as Markup
    }
    let head: Markup = head.isEmpty ? "" : "<thead><tr>\(cells(head, "th"))</tr></thead>\n"
    return "<div class=\"scroll\"><table>\(head)<tbody>\n\(body.joined())</tbody></table></div>\n"
  }

  /// Text with its own line breaks and spaces.
  static func verbatim(_ text: String) -> Markup { "<span class=\"verbatim\">\(text)</span>" }

  /// Facts, a line each.
  static func facts(_ facts: [(name: String, value: Markup)]) -> Markup {
    let rows = facts.map { "<dt>\($0.name)</dt><dd>\($0.value)</dd>\n" as Markup }
    return "<dl>\n\(rows.joined())</dl>\n"
  }
}
