import ArgumentParser
import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Models
import RecurrentPackage
import Reports
import Tensors

/// `ckpt init`: a model of given sizes that knows nothing yet.
struct Init: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Write a source model with random weights, to train from scratch.",
    discussion: """
      Matrices are drawn from a normal distribution whose standard deviation is the configuration's \
      initializer_range, truncated at three of them; norms start neutral and biases at zero. The same \
      seed gives the same bytes on every machine. Weights beside the configuration are not read.

      Example:
        ckpt init config.json --tokenizer fixtures/tiny-arithmetic -o base
        ckpt init SmolLM2-135M --seed 1 -o SmolLM2-untrained
      """)

  @Argument(
    help: "A config.json of any supported family, or a folder that holds one.",
    completion: .file())
  var model: String
  @Option(
    name: [.short, .customLong("output")], help: "Folder to write.", completion: .directory)
  var outputPath: String
  @Option(
    help: "Folder to take the tokenizer's files from; the configuration's own by default.",
    completion: .directory)
  var tokenizer: String?
  @Option(help: "Seed for the weights.") var seed: UInt64 = 0
  @Option(help: "Type of the weights.") var dtype = SaveType.f32
  @OptionGroup var replacement: ForceOption
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> InitReport {
    let file = try pathKind(model) == .folder ? model + "/config.json" : model
    let config = try Checkpoint.config(ByteRegion(path: file))
    let weights = UntrainedWeights(seed: seed, type: dtype.elementType)
    let graph: ModelGraph
    do {
      graph = try ModelGraph.untrained(config: config, weights, ignoring: configuration.ignoring)
    } catch {
      var error = error
      error.configurationFile = file
      throw error
    }
    let folder = try CheckpointFolder(path: tokenizer ?? parentFolder(file))
    let contents = try PackageContents(
      untrained: graph, weights, filesOf: folder, toolVersion: ToolVersion.current)
    var writing = WriteOptions()
    writing.force = replacement.force
    let writer = try PackageWriter(contents, source: EmptySource(), options: writing)
    let written = try ByteProgress(console, output, "init").following { progress in
      try writer.write(to: outputPath, progress: progress)
    }
    return InitReport(
      output: outputPath, family: graph.family, layers: graph.blocks.count,
      parameters: graph.parameters.reduce(0) { $0 + $1.elementCount },
      byteCount: written.byteCount, root: written.manifest.root,
      warnings: SideFiles.hasTokenizer(folder.names) ? [] : [noTokenizer])
  }

  private var noTokenizer: Warning {
    Warning(
      "init.no_tokenizer", "no tokenizer is written; name a folder that has one with --tokenizer",
      file: outputPath)
  }
}

/// What `ckpt init` wrote.
struct InitReport: Report {
  static let command = "init"

  var next: String? { NextCommand.train(output) }

  var output: String
  var family: String
  var layers: Int
  var parameters: Int
  /// Bytes of all files.
  var byteCount: Int
  var root: Digest
  var warnings: [Warning]

  var json: JSONObject {
    [
      "output": .string(output), "family": .string(family), "layers": JSONValue(layers),
      "parameters": JSONValue(parameters), "bytes": JSONValue(byteCount),
      "root": .string(root.description),
    ]
  }

  var text: String {
    "Wrote \(output): \(family), \(layers) layers, \(grouped(parameters)) parameters, "
      + "\(byteSize(byteCount))\nRoot  \(root)\n"
  }
}
