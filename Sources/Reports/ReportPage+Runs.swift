import ByteIO
import Charts
import Training

extension RunSummary {
  var sentence: Markup {
    guard let last = steps.last else { return "<b>\(name)</b> has not done a step yet." }
    var text: Markup = """
      <b>\(name)</b> trained for \(counted(last.step, "step")) on \(grouped(last.tokens)) tokens
      """
    if let settings, settings.steps > last.step { text += " (of \(grouped(settings.steps)) steps)" }
    if brokenSteps > 0 {
      text += "; <b class=\"bad\">\(counted(brokenSteps, "step")) had no finite loss</b>"
    }
    let isCompared = evaluations.count > 1
    // At the depth that the model is meant for, or the deepest.
    let meant = recurrences.first { $0 != nil && $0 == settings?.recurrence.final }
    guard isCompared, let recurrence = meant ?? recurrences.last else {
      return text + """
        . \(evaluations.isEmpty ? "There was no evaluation" : "There was one evaluation") on held-out \
        rows, so nothing shows what training changed there.
        """
    }
    let (first, final) = heldOut(recurrence)
    guard let first, let final else { return text + "." }
    let place = recurrence.map { " at r = \($0)" } ?? ""
    let verb = final < first ? "fell" : final > first ? "rose" : "stayed"
    return text + """
      . The loss on held-out rows\(place) \(verb) from \(fixed(first, 4)) to <b>\(fixed(final, 4))</b> \
      nats per token; lower is better.
      """
  }

  fileprivate var numbers: Markup {
    var facts: [(String, Markup)] = [("path", "<code>\(path)</code>")]
    guard let last = steps.last else { return ReportPage.facts(facts) }
    facts += [
      ("steps", "\(grouped(last.step))\(settings.map { " of \(grouped($0.steps))" } ?? "")"),
      ("tokens", "\(grouped(last.tokens))"),
      (
        "FLOPs",
        "\(scientific(last.flops)) by the paper's formula, \(scientific(last.fullFLOPs)) counting everything"
      ),
      ("time", "\(Self.duration(last.seconds))"),
    ]
    if let speed { facts.append(("speed", "\(fixed(speed, 0)) tokens a second")) }
    if let finalLoss { facts.append(("loss, last tenth", "\(fixed(finalLoss, 4)) nats per token")) }
    if brokenSteps > 0 {
      facts.append(("without a finite loss", "\(counted(brokenSteps, "step"))"))
    }
    return ReportPage.facts(facts)
  }

  private static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "unknown" }
    let whole = Int(seconds)
    if whole < 60 { return "\(fixed(seconds, 1)) s" }
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return hours > 0 ? "\(hours) h \(minutes) min" : "\(minutes) min \(whole % 60) s"
  }

  /// Held-out losses; empty without evaluations.
  fileprivate var evaluationTable: Markup {
    guard let first = evaluations.first, let last = evaluations.last else {
      return "<p class=\"quiet\">No evaluation on held-out rows.</p>\n"
    }
    let isOne = evaluations.count == 1
    let head = ["held out", "step \(first.step)"] + (isOne ? [] : ["step \(last.step)", "change"])
    var rows: [[String]] = []
    for recurrence in recurrences {
      let name = recurrence.map { "r = \($0)" } ?? "all layers"
      let before = first.results.first { $0.recurrence == recurrence }
      let after = isOne ? nil : last.results.first { $0.recurrence == recurrence }
      func add(_ name: String, _ before: Double?, _ after: Double?, _ places: Int) {
        var row = [name, before.map { fixed($0, places) } ?? "–"]
        if !isOne {
          row.append(after.map { fixed($0, places) } ?? "–")
          let change = before.flatMap { old in after.map { $0 - old } }
          row.append(change.map { ($0 > 0 ? "+" : "") + fixed($0, places) } ?? "–")
        }
        rows.append(row)
      }
      add(name, before?.loss, after?.loss, 4)
      guard before?.answers != nil || after?.answers != nil else { continue }
      add(name + ", answers", before?.answers?.loss, after?.answers?.loss, 4)
      let percent = { (answers: EvaluationRecord.Answers?) in answers.map { 100 * $0.exact } }
      add(name + ", exact answers, %", percent(before?.answers), percent(after?.answers), 1)
    }
    return ReportPage.table(head, rows)
  }

  fileprivate var recipe: Markup {
    guard let settings else { return "<p class=\"quiet\">The folder has no recipe.</p>\n" }
    let changes = TrainingRecipe.changes(in: settings).map {
      (name: $0.key, value: "\($0.value)" as Markup)
    }
    return """
      <p class="quiet">Settings changed from their defaults:</p>
      \(ReportPage.facts(changes))<details><summary>The whole recipe</summary><pre>\(TrainingRecipe.text(of: settings))</pre></details>

      """
  }

  /// Loss over the steps, the held-out one at each recurrence beside it.
  fileprivate var lossChart: LineChart {
    RunFolder.chart(steps, evaluations)
  }

  fileprivate var charts: Markup {
    steps.isEmpty
      ? "<p class=\"quiet\">No step has been done yet.</p>\n"
      : ReportPage.figures([lossChart] + RunSummary.byRecurrence([self]) + detailCharts)
  }
}

extension ReportPage {
  func section(_ run: RunSummary) -> Markup {
    """
    <section><h2>Training: \(run.name)</h2>
    <div class="columns"><div>\(run.numbers)</div><div>\(run.evaluationTable)</div></div>
    \(run.charts)<h3>Recipe</h3>
    \(run.recipe)</section>

    """
  }
}
