import ByteIO
import Charts
import Platform
import Training

extension RunSummary {
  var sentence: Markup {
    guard let last = steps.last else { return "The run <b>\(name)</b> has not done a step yet." }
    var text: Markup = """
      The run <b>\(name)</b> trained for \(counted(last.step, "step")) on \(grouped(last.tokens)) tokens
      """
    if let settings, settings.steps > last.step { text += " (of \(grouped(settings.steps)) steps)" }
    if brokenSteps > 0 {
      text += "; <b class=\"bad\">\(counted(brokenSteps, "step")) had no finite loss</b>"
    }
    let recurrence = meantRecurrence
    guard evaluations.count > 1, !recurrences.isEmpty else {
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
      . The loss on held-out rows\(place) \(verb) from \(fixed(first, 4)) before training to <b>\(fixed(final, 4))</b> \
      nats per token; lower is better.\(sourceSentence(final))\(depthSentence)
      """
  }

  private func sourceSentence(_ final: Double) -> Markup {
    guard let source else { return "" }
    let difference = final - source.loss
    return """
       The model that it was made from (\(source.name), \(grouped(source.parameters)) parameters) has \
      <b>\(fixed(source.loss, 4))</b> on the same rows: the trained one is \(fixed(abs(difference), 4)) \
      \(difference > 0 ? "worse" : "better"), a perplexity of \(Self.perplexity(final)) against \
      \(Self.perplexity(source.loss)).
      """
  }

  private static func perplexity(_ loss: Double) -> String {
    let value = exp(loss)
    return value < 1e6 ? fixed(value, value < 100 ? 1 : 0) : scientific(value)
  }

  /// Which recurrences are as good as any.
  private var depthSentence: Markup {
    let results = (evaluations.last?.results ?? []).filter { $0.recurrence != nil }
    guard results.count > 1, let best = results.map(\.loss).min(), best.isFinite else { return "" }
    let good = results.filter { $0.loss <= best + Self.indifference }.compactMap(\.recurrence)
    let list = good.sorted().map { "r = \($0)" }
    guard let first = list.first, list.count > 1 else {
      return " Of all r evaluated, \(list.first ?? "none") has the lowest loss."
    }
    return """
       The held-out loss is within \(fixed(Self.indifference, 2)) nats of its lowest at \
      \(list.joined(separator: ", ")), so there is little to gain beyond \(first).
      """
  }

  /// Nats per token that nobody would pay for with more recurrences.
  private static let indifference = 0.01

  fileprivate var numbers: Markup {
    var facts: [(String, Markup)] = [("path", "<code>\(path)</code>")]
    guard let last = steps.last else { return ReportPage.facts(facts) }
    facts += [
      ("steps", "\(grouped(last.step))\(settings.map { " of \(grouped($0.steps))" } ?? "")"),
      ("tokens", "\(grouped(last.tokens))"),
      (
        "FLOPs",
        """
        \(scientific(last.fullFLOPs)) in all; \(scientific(last.flops)) by the paper's formula, which \
        leaves out adapter, head and attention scores
        """
      ),
      ("time", "\(Self.duration(last.seconds))"),
    ]
    if let speed { facts.append(("speed", "\(fixed(speed, 0)) tokens a second")) }
    if let finalLoss {
      facts.append(
        (
          "training loss",
          "\(fixed(finalLoss, 4)) nats per token, mean of the last tenth of the steps"
        ))
    }
    if let tokens = evaluations.last?.heldOutTokens {
      facts.append(("held out", "\(grouped(tokens)) tokens, which were not trained on"))
    }
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
    if steps.isEmpty { return "<p class=\"quiet\">No step has been done yet.</p>\n" }
    let charts = [lossChart] + RunSummary.byRecurrence([self]) + detailCharts
    return """
      <p class="quiet">Pale: each step, or the range of several. Bold: the moving average.</p>
      \(ReportPage.figures(charts))
      """
  }

  /// How the model went on after the same beginnings, before training and at the end.
  fileprivate var samples: Markup {
    let records = evaluations.filter { !$0.samples.isEmpty }
    guard let first = records.first, let last = records.last else { return "" }
    let parts = first.samples.indices.map { index -> Markup in
      let sample = first.samples[index]
      var facts: [(String, Markup)] = [
        ("prompt", ReportPage.verbatim(sample.prompt)),
        ("actual continuation", ReportPage.verbatim(sample.heldOut)),
      ]
      if let texts = first.source?.texts, texts.indices.contains(index), let text = texts[index] {
        facts.append(("the source", ReportPage.verbatim(text)))
      }
      facts.append((Self.when(first), ReportPage.verbatim(sample.text)))
      if last.step > first.step, index < last.samples.count {
        facts.append((Self.when(last), ReportPage.verbatim(last.samples[index].text)))
      }
      return "<div>\(ReportPage.facts(facts))</div>"
    }
    let depth = first.samples.first?.recurrence.map { " at r = \($0)" } ?? ""
    return """
      <h3>What it writes</h3>
      <p class="quiet">Greedy continuations of held-out text\(depth).</p>
      <div class="columns">\(parts.joined())</div>

      """
  }

  private static func when(_ record: EvaluationRecord) -> String {
    record.step == 0 ? "before training" : "after step \(record.step)"
  }
}

extension ReportPage {
  func section(_ run: RunSummary) -> Markup {
    """
    <section><h2>Training: \(run.name)</h2>
    <div class="columns"><div>\(run.numbers)</div><div>\(run.evaluationTable)</div></div>
    \(run.charts)\(run.samples)<h3>Recipe</h3>
    \(run.recipe)</section>

    """
  }
}
