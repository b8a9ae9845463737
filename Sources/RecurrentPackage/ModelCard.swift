import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Recurrence
import WeightWriting

/// The README.md of a package: what it is, how it came about, what it is not.
struct ModelCard {
  let plan: RetrofitPlan
  let checkpoint: Checkpoint
  /// Repository of the source; nil for what its configuration or its folder says.
  var repository: String?
  let toolVersion: ToolVersion

  func text() throws(FileError) -> String { try frontMatter() + "\n" + body() }

  /// The source's name: as its configuration has it, or its folder's.
  private var base: String {
    if let repository { return repository }
    let stated = plan.source.config["_name_or_path"]?.string ?? ""
    let isRepository = stated.split(separator: "/").count == 2 && !stated.hasPrefix("/")
    return isRepository ? stated : baseName(checkpoint.path)
  }

  private func frontMatter() throws(FileError) -> String {
    let license = try SourceLicense(of: checkpoint)
    var lines = ["---", "base_model: \(quoted(base))", "base_model_relation: finetune"]
    if let license { lines += ["license: \(quoted(license.id))"] + license.details }
    lines += [
      "library_name: ckpt", "pipeline_tag: text-generation", "tags:",
      "- depth-recurrent", "- retrofitted-recurrence", "- \(plan.source.family)", "---", "",
    ]
    return lines.joined(separator: "\n")
  }

  private func body() throws(FileError) -> String {
    let healing = try healing()
    let counts = plan.counts
    let recurrence = plan.result.recurrence
    let layers = plan.layerMap.split(separator: "/")
    var text = """
      # \(base), depth-recurrent

      A retrofit of \(base) made by ckpt \(toolVersion.number): the prelude runs once, the core runs r
      times, the coda runs once; before every pass of the core the prelude's output is injected.

      \(healing)| part | source layers | parameters |
      |---|---|---|

      """
    for (i, part) in [
      ("prelude", counts.prelude), ("core", counts.core), ("coda", counts.coda),
    ].enumerated() where i < layers.count {
      text += "| \(part.0) | \(layers[i]) | \(part.1) |\n"
    }
    if let kind = recurrence?.injection.kind, counts.adapter > 0 {
      let start = kind == .linear ? plan.config["adapter_init"]?.string : nil
      text += "| \(kind.part)\(start.map { ", starts as `\($0)`" } ?? "") | | \(counts.adapter) |\n"
    }
    text += "| embedding and head | | \(counts.embedding + counts.head) |\n"
    text += "| all | | \(counts.total) |\n"
    if let source = checkpoint.dequantised { text += "\n" + Self.decoded(source) }
    if let notice = try SourceLicense(of: checkpoint)?.notice { text += "\n\(notice).\n" }
    text += """

      State: \(recurrence.map { SetStateStart($0.stateStart).description } ?? ""). Recurrences when
      \(Self.default(recurrence?.meanRecurrence ?? 1)).

          ckpt verify   PACKAGE
          ckpt train    PACKAGE --data corpus.jsonl -o RUN
          ckpt generate PACKAGE --prompt TEXT --recurrence 4

      `manifest.json` has the SHA-256 of every file, and for every tensor the bytes of the source it
      came from.

      """
    return text
  }

  /// What is known of the model's training, and an empty line; nothing of a recurrent model whose
  /// own card does not tell.
  private func healing() throws(FileError) -> String {
    if plan.options.selection != nil { return Self.unhealed + "\n\n" }
    let file = checkpoint.sideFiles.first { $0.name == "README.md" }
    let bytes = try file?.region.contents(limit: 1 << 24) ?? []
    let card = String(decoding: bytes, as: UTF8.self)
    let lines = card.split(separator: "\n", omittingEmptySubsequences: false)
    guard let first = lines.firstIndex(where: Self.tellsOfHealing) else { return "" }
    return lines[first...].prefix { $0.hasPrefix(">") }.joined(separator: "\n") + "\n\n"
  }

  private static func tellsOfHealing(_ line: Substring) -> Bool {
    line.hasPrefix("> **Healed**") || line.hasPrefix("> **Not healed yet.**")
  }

  private static let unhealed = """
    > **Not healed yet.** Until it has been trained further, this model is no better than its
    > source with the dropped layers left out, and a larger r does not help.
    """

  private static func decoded(_ source: Dequantisation) -> String {
    let kinds = source.encodings.map { "\($0.tensors) tensors as \($0.name), to \($0.type)" }
    return """
      The source is quantised (\(source.method)). Its codes were decoded: \(kinds.joined(separator: "; ")).

      """
  }

  private static func `default`(_ recurrence: Int) -> String {
    "none are asked for: \(recurrence)"
  }

  /// A card's text with what training did in place of the word that the model is not healed, or
  /// below what it says of runs before; as it is when it says neither.
  ///
  /// - Parameter recurrence: Recurrences when none are asked for, before and after.
  static func healed(
    _ text: String, steps: Int, tokens: Int, recurrence: (old: Int, new: Int)
  ) -> String {
    let amount = "for \(grouped(steps)) steps on \(grouped(tokens)) tokens"
    let text = text.replacing(
      Self.default(recurrence.old) + ".", with: Self.default(recurrence.new) + ".")
    if text.contains(unhealed) {
      return text.replacing(
        unhealed, with: "> **Healed** \(amount); `manifest.json` has the recipe.")
    }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard let first = lines.firstIndex(where: { $0.hasPrefix("> **Healed**") }) else { return text }
    let end = lines[first...].firstIndex { !$0.hasPrefix(">") } ?? lines.endIndex
    lines.insert("> **Healed further** \(amount).", at: end)
    return lines.joined(separator: "\n")
  }

  /// A YAML string, quoted so that no character of it means anything else.
  private func quoted(_ text: String) -> String { JSONValue.string(text).text() }
}
