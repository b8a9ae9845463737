import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Recurrence
import RecurrentPackage

extension ExportedFolder.Source {
  /// Text of the model's own card, and its front matter; nil when it has none.
  fileprivate func card() throws(FileError) -> (frontMatter: [Substring], body: Substring)? {
    guard let region = checkpoint.sideFiles.first(where: { $0.name == "README.md" })?.region
    else { return nil }
    let text = String(decoding: try region.contents(limit: 1 << 20), as: UTF8.self)
    guard text.hasPrefix("---\n"), let end = text.dropFirst(4).firstRange(of: "\n---\n") else {
      return ([], text[...])
    }
    let matter = text[text.index(text.startIndex, offsetBy: 4)..<end.lowerBound]
    return (
      matter.split(separator: "\n", omittingEmptySubsequences: false), text[end.upperBound...]
    )
  }

  /// The front matter of the model's own card, changed to what a library loads.
  fileprivate func frontMatter(
    for library: String = "transformers", tags: [String], without dropped: [String] = []
  ) throws(FileError) -> String {
    let left = ["library_name:", "pipeline_tag:"] + (tags + dropped).map { "- " + $0 }
    var lines = try card()?.frontMatter.map(String.init) ?? []
    lines.removeAll { line in left.contains { line == $0 || line.hasPrefix($0 + " ") } }
    lines += ["library_name: \(library)", "pipeline_tag: text-generation"]
    let items = tags.map { "- " + $0 }
    if let place = lines.firstIndex(of: "tags:") {
      lines.insert(contentsOf: items, at: place + 1)
    } else if !items.isEmpty {
      lines += ["tags:"] + items
    }
    return (["---"] + lines + ["---"]).joined(separator: "\n") + "\n"
  }
}

/// The README.md of a folder with code of ours: the package's own, and how to use it.
struct RecurrentCard {
  let source: ExportedFolder.Source
  let form: RecurrentForm

  init(_ source: ExportedFolder.Source, _ form: RecurrentForm) {
    self.source = source
    self.form = form
  }

  private static let headings = [
    "\n## How deep is safe", "\n## With transformers", "\n## With mlx-lm",
  ]

  func text() throws(FileError) -> String {
    let depth = source.graph.recurrence?.meanRecurrence ?? 1
    var body = try source.card()?.body ?? "\n# A depth-recurrent model\n"
    // A folder that is exported again has such sections already.
    for heading in Self.headings {
      if let range = body.firstRange(of: heading) { body = body[..<range.lowerBound] }
    }
    let (library, tags) = form.library
    let notes = source.depthNotes.map { $0 + "\n" } ?? ""
    return try source.frontMatter(for: library, tags: tags + ["depth-recurrent"]) + body + "\n"
      + notes + form.usage(depth: depth, toolVersion: source.toolVersion)
  }
}

/// The README.md of an unrolled model.
struct PlainCard {
  let source: ExportedFolder.Source
  let className: String
  let recurrence: Int
  let form: PlainForm
  let graph: ModelGraph

  func text() throws(FileError) -> String {
    try source.frontMatter(tags: [], without: ["custom_code", "depth-recurrent", "mlx"]) + """

      # A depth-recurrent model at r = \(recurrence), as plain layers

      Unrolled by ckpt \(source.toolVersion.number) into the \(graph.blocks.count) layers of a
      `\(className)`. Layers of the source model, in order: \(layers).
      They compute what the recurrent model computes: \(form.reason).

      """
  }

  private var layers: String {
    graph.blocks.map { String($0.sourceLayer) }.joined(separator: ", ")
  }
}
