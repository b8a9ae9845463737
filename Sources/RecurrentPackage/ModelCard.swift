import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Recurrence

/// The README.md of a package: what it is, how it came about, what it is not.
struct ModelCard {
  let plan: RetrofitPlan
  let checkpoint: Checkpoint
  let toolVersion: String

  var text: String { frontMatter + "\n" + body }

  /// The source's name: as its configuration has it, or its folder's.
  private var base: String {
    let stated = plan.source.config["_name_or_path"]?.string ?? ""
    let isRepository = stated.split(separator: "/").count == 2 && !stated.hasPrefix("/")
    return isRepository ? stated : baseName(checkpoint.path)
  }

  private var frontMatter: String {
    var lines = ["---", "base_model: \(quoted(base))", "base_model_relation: finetune"]
    if let license { lines.append("license: \(license)") }
    lines += [
      "library_name: transformers", "pipeline_tag: text-generation", "tags:",
      "- depth-recurrent", "- retrofitted-recurrence", "- ckpt", "---", "",
    ]
    return lines.joined(separator: "\n")
  }

  /// The licence in the front matter of the source's own card.
  private var license: String? {
    guard let card = checkpoint.sideFiles.first(where: { $0.name == "README.md" })?.region,
      let bytes = try? card.bytes(0..<min(card.byteCount, 1 << 16))
    else { return nil }
    let lines = String(decoding: bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    guard lines.first == "---" else { return nil }
    for line in lines.dropFirst() {
      if line == "---" { return nil }
      guard line.hasPrefix("license:") else { continue }
      let value = line.dropFirst("license:".count).filter { $0 != " " && $0 != "\r" }
      return value.isEmpty ? nil : value
    }
    return nil
  }

  private var body: String {
    let counts = plan.counts
    let recurrence = plan.result.recurrence
    let layers = plan.layerMap.split(separator: "/")
    var text = """
      # \(base), depth-recurrent

      A retrofit of \(base) made by ckpt \(toolVersion): the prelude runs once, the core runs r
      times, the coda runs once; before every pass of the core the prelude's output is injected.

      > **Not healed yet.** Until it has been trained further, this model is no better than its
      > source at r = 1, and worse at every larger r.

      | part | source layers | parameters |
      |---|---|---|

      """
    for (i, part) in [
      ("prelude", counts.prelude), ("core", counts.core), ("coda", counts.coda),
    ].enumerated() where i < layers.count {
      text += "| \(part.0) | \(layers[i]) | \(part.1) |\n"
    }
    if let adapter = plan.config["adapter_init"]?.string {
      text += "| adapter, starts as `\(adapter)` | | \(counts.adapter) |\n"
    }
    text += "| embedding and head | | \(counts.embedding + counts.head) |\n"
    text += "| all | | \(counts.total) |\n"
    text += """

      State: \(recurrence.map { SetStateStart($0.stateStart).description } ?? ""). Recurrences when
      none are asked for: \(recurrence?.meanRecurrence ?? 1).

          ckpt verify   PACKAGE
          ckpt train    PACKAGE --data corpus.jsonl -o RUN
          ckpt generate PACKAGE --prompt TEXT --recurrence 4

      `manifest.json` has the SHA-256 of every file, and for every tensor the bytes of the source it
      came from.

      """
    return text
  }

  /// A YAML string, quoted so that no character of it means anything else.
  private func quoted(_ text: String) -> String { JSONValue.string(text).text() }
}
