package import ByteIO
import Training

/// A folder of tokens with a recipe that names them: what a run needs beside its model, on a machine
/// that has neither the texts nor the tokenizer.
package struct PreparedData {
  package let recipe: String
  package let sources: [Source]
  /// Of the data's files.
  package let warnings: [Warning]

  package struct Source {
    package var path: String
    /// The tokens; the source itself when it is a token file.
    package var file: String
    package var tokens: Int
    /// Of texts.
    package var documents: Int?
    package var skippedRecords: Int?
  }

  /// Tokenises the sources of `data` into the new folder `folder`, which appears whole or not at all.
  package init(_ data: TrainingData, in folder: String, force: Bool) throws {
    var (data, settings) = (data, data.settings)
    let dataset = try data.dataset()
    try dataset.requireLearned(heldOutRows: settings.evaluation.rows)
    let staged = try StagedOutput(
      at: folder, isFolder: true, force: force, inputs: settings.data.sources, needed: 0)
    var sources: [Source] = []
    for (index, source) in dataset.sources.enumerated() {
      let stream = source.stream
      let text = stream as? CachedTokens
      // A file of token ids stays where it is; several become one.
      if text.map({ $0.path == $0.file }) ?? !(stream is JoinedTokens) {
        sources.append(Source(path: stream.path, file: stream.path, tokens: stream.count))
        continue
      }
      let base = stream.path.split(separator: "/").last ?? "data"
      let name = "\(index)-\(base).tokens"
      var copy = try OutputFile(creating: staged.path(name))
      if let text {
        try copy.copy(ByteRegion(path: text.file))
      } else {
        try CachedTokens.write(stream, to: &copy)
      }
      _ = try copy.finish()
      settings.data.sources[index] =
        "\(folder)/\(name)" + (source.weight == 1 ? "" : ":\(source.weight)")
      sources.append(
        Source(
          path: stream.path, file: "\(folder)/\(name)", tokens: stream.count,
          documents: text?.documentCount, skippedRecords: text?.skippedCount))
    }
    // Each file's content says now what it is.
    if sources.contains(where: { $0.file != $0.path }) { settings.data.format = "auto" }
    var file = try OutputFile(creating: staged.path("recipe.yaml"))
    try file.write(Array(TrainingRecipe.text(of: settings).utf8))
    _ = try file.finish()
    try staged.publish()
    recipe = "\(folder)/recipe.yaml"
    self.sources = sources
    warnings = data.warnings
  }
}
