import ByteIO
import Charts
import JSON
import ModelGraph
import Recurrence
import RecurrentPackage
import Verification

extension PackageSummary {
  var sentence: Markup {
    var text: Markup = "<b>\(name)</b> "
    if let body = graph.recurrence {
      text += """
        is a depth-recurrent \(graph.family) model. \(counted(body.prelude.count, "layer")) (the prelude) \
        and \(counted(body.coda.count, "layer")) (the coda) run once; the \
        \(counted(body.core.count, "layer")) between them (the core) run r times, and whoever uses the \
        model chooses r: more costs more time, without more parameters.
        """
      if let sourceLayers {
        text += " It was made from a model of \(sourceLayers) layers"
        text +=
          dropped.isEmpty ? ", all of them kept." : ", of which \(dropped.count) were dropped."
      }
    } else {
      text += "is a \(graph.family) model of \(counted(graph.blocks.count, "layer"))."
    }
    switch integrity {
    case .passed: text += " Its files are intact."
    case .failed: text += " <b class=\"bad\">Its files are not what its manifest says.</b>"
    case .unknown: text += " It has no manifest, so its files cannot be checked."
    }
    return text
  }

  /// Parameters by part.
  fileprivate var parameterTable: Markup {
    let counts = counts
    let parts = [
      ("embedding", counts.embedding), ("layers", counts.layers), ("prelude", counts.prelude),
      (graph.recurrence?.injection.kind.part ?? "adapter", counts.adapter),
      ("core", counts.core), ("core norm", counts.coreNorm),
      ("exit gate", counts.exitGate), ("coda", counts.coda), ("final norm", counts.finalNorm),
      ("head", counts.head),
    ].filter { $0.1 > 0 }
    let total = max(1, counts.total)
    var rows = (parts + [("all", counts.total)]).map { name, count in
      [name, grouped(count), fixed(Double(count) / Double(total) * 100, 1) + "\u{A0}%"]
    }
    if let body = graph.recurrence {
      for r in Set([1, 4, 8, 32, body.meanRecurrence]).sorted() {
        rows.append([
          "layers, unrolled at r\u{A0}=\u{A0}\(r)", grouped(counts.effective(recurrences: r)), "",
        ])
      }
    }
    return ReportPage.table(["part", "parameters", "share"], rows)
  }

  fileprivate var verdict: Markup {
    switch integrity {
    case .passed:
      let files = counted(manifest?.files.count ?? 0, "file")
      return """
        <b class="good">intact</b>: \(files) match the manifest's digests. How good the model is, is \
        another question
        """
    case .unknown: return "not checked: there is no manifest"
    case .failed:
      let problems = problems ?? []
      let items = problems.prefix(20).map { "<li>\($0.description)</li>" as Markup }.joined()
      let rest = problems.count > 20 ? " (the first 20 of \(problems.count))" : ""
      return "<b class=\"bad\">failed</b>\(rest)<ul>\(items)</ul>"
    }
  }

  /// Words of the steps that a reader need not know.
  private var glossary: Markup {
    var words: [Markup] = []
    if graph.recurrence?.injection.kind == .linear {
      words.append(
        """
        Adapter [A | B]: the core's input is A times its state plus B times the prelude's output; I is \
        the identity. One that starts as [0 | I] ignores the state, so that before training, r makes no \
        difference.
        """)
    }
    words.append(
      """
      A dialect is a way to name tensors: raven is that of Huginn and of the retrofitting paper's models \
      (McLeish et al., 2025), native the source's.
      """)
    return "<p class=\"quiet\">\(words.joined(separator: " "))</p>"
  }

  /// What `ckpt verify` found; nil where it left no report in the package.
  private var proof: Markup? {
    guard let verification else { return nil }
    guard verification.isOwn else {
      return """
        not known: <code>\(Manifest.report)</code> is about another package, so it is not shown
        """
    }
    let asked = verification.checks.filter { $0.verdict != .skipped }
    let failed = asked.filter { $0.verdict == .failed }
    let missing = verification.checks.count - asked.count
    let told = verification.checks.filter { $0.verdict != .passed }
    let items = told.map { "<li>\($0.name): \($0.detail)</li>" as Markup }.joined()
    let list: Markup = told.isEmpty ? "" : "<ul>\(items)</ul>"
    let rest: Markup = missing > 0 ? "; the other \(missing) could not be made" : ""
    let count = counted(verification.checks.count, "check")
    return failed.isEmpty
      ? "<b class=\"good\">passed</b>: \(asked.count) of \(count)\(rest)\(list)"
      : "<b class=\"bad\">failed</b>: \(failed.count) of \(count)\(rest)\(list)"
  }

  fileprivate var provenance: Markup {
    var facts: [(String, Markup)] = [
      ("path", "<code>\(path)</code>"), ("files", verdict),
    ]
    if let proof { facts.append(("ckpt verify", proof)) }
    guard let manifest else { return ReportPage.facts(facts) }
    facts.append(
      (
        "root digest",
        "<code>\(manifest.root.description)</code>, one name for the content of all files"
      ))
    if let version = ToolVersion(record: manifest.record["tool"]) {
      facts.append(("written by", "ckpt \(version.text)"))
    }
    if let passes = retrofit?["passes"]?.array?.compactMap(\.string), !passes.isEmpty {
      let items = passes.map { "<li>\($0)</li>" as Markup }.joined()
      facts.append(("what was done", "<ol>\(items)</ol>\(glossary)"))
    }
    for run in manifest.record["training"]?.array ?? [] {
      if let steps = run["steps"]?.integer, let tokens = run["tokens"]?.integer {
        facts.append(("trained for", "\(grouped(steps)) steps on \(grouped(tokens)) tokens"))
      }
    }
    let sources = manifest.sources.prefix(50).map { file in
      "<li>\(file.path), \(byteSize(file.byteCount)), SHA-256 <code>\(file.digest.description)</code></li>"
        as Markup
    }
    if !sources.isEmpty { facts.append(("source files", "<ul>\(sources.joined())</ul>")) }
    // In a trained package, nothing is the source's any more.
    let copied = manifest.sources.isEmpty ? 0 : manifest.tensors.count(where: \.isCopy)
    let note = copied > 0 ? ", \(grouped(copied)) of them the source's own bytes" : ""
    facts.append(("tensors", "\(grouped(manifest.tensors.count) + note)"))
    return ReportPage.facts(facts)
  }
}

extension ReportPage {
  func section(_ package: PackageSummary) -> Markup {
    """
    <section><h2>What was converted</h2>
    \(package.layerMap)
    <div class="columns"><div><h3>Parameters</h3>
    \(package.parameterTable)</div><div><h3>Where it comes from</h3>
    \(package.provenance)</div></div></section>

    """
  }
}
