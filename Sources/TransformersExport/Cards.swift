import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Recurrence

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

  /// The front matter of the model's own card, changed to what transformers loads.
  fileprivate func frontMatter(
    tags: [String], without dropped: [String] = []
  ) throws(FileError) -> String {
    let left = ["library_name:", "pipeline_tag:"] + (tags + dropped).map { "- " + $0 }
    var lines = try card()?.frontMatter.map(String.init) ?? []
    lines.removeAll { line in left.contains { line == $0 || line.hasPrefix($0 + " ") } }
    lines += ["library_name: transformers", "pipeline_tag: text-generation"]
    let items = tags.map { "- " + $0 }
    if let place = lines.firstIndex(of: "tags:") {
      lines.insert(contentsOf: items, at: place + 1)
    } else if !items.isEmpty {
      lines += ["tags:"] + items
    }
    return (["---"] + lines + ["---"]).joined(separator: "\n") + "\n"
  }
}

/// The README.md of a folder with our modelling code: the package's own, and how to use it.
struct RecurrentCard {
  let source: ExportedFolder.Source

  init(_ source: ExportedFolder.Source) { self.source = source }

  private static let heading = "## With transformers"

  func text() throws(FileError) -> String {
    let depth = source.graph.recurrence?.meanRecurrence ?? 1
    let body = try source.card()?.body ?? "\n# A depth-recurrent model\n"
    // A folder that is exported again has the section already.
    let own = body.firstRange(of: "\n" + Self.heading).map { body[..<$0.lowerBound] } ?? body
    return try source.frontMatter(tags: ["custom_code", "depth-recurrent"]) + own + """

      \(Self.heading)

      Exported by ckpt \(source.toolVersion); works with transformers 4.51 and newer. The model's
      code is in this folder, so it is loaded with `trust_remote_code`.

      ```python
      from transformers import AutoModelForCausalLM, AutoTokenizer

      model = AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True)
      tokenizer = AutoTokenizer.from_pretrained(FOLDER)
      inputs = tokenizer("Once upon a time", return_tensors="pt")
      output = model.generate(**inputs, num_steps=\(depth), max_new_tokens=32)
      print(tokenizer.decode(output[0]))
      ```

      `num_steps` is the number of passes through the core, \(depth) when it is not given; `forward`
      also takes a pair, passes without gradient and passes with.

      `train.py` trains the model with a recipe of `ckpt train`, on one GPU or, under `torchrun`, on
      many; `python train.py --help` says how.

      """
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
    try source.frontMatter(tags: [], without: ["custom_code", "depth-recurrent"]) + """

      # A depth-recurrent model at r = \(recurrence), as plain layers

      Unrolled by ckpt \(source.toolVersion) into the \(graph.blocks.count) layers of a
      `\(className)`. Layers of the source model, in order: \(layers).
      They compute what the recurrent model computes: \(form.reason).

      """
  }

  private var layers: String {
    graph.blocks.map { String($0.sourceLayer) }.joined(separator: ", ")
  }
}
