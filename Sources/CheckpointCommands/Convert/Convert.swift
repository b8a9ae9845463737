import ArgumentParser
import ByteIO
import Checkpoint
import GGUF
import ModelGraph
import Safetensors
import Tensors
import TorchArchive

/// `ckpt convert`: the same tensors in another format, type or division into files.
struct Convert: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint in another format or type.",
    discussion: """
      The format follows from the output's ending: .safetensors, .gguf, .pt, .pth or .bin, or else \
      a Hugging Face folder with safetensors. Tensors get the names of such a folder, whatever the \
      source calls them. Quantised weights are decoded. Everything is streamed; the output appears whole or not at all.

      Example:
        ckpt convert SmolLM2.Q4_1.gguf -o SmolLM2 --dtype bf16
        ckpt convert pytorch_model.bin -o model.safetensors
        ckpt convert model.safetensors -o model.pt
        ckpt convert TinyLlama-1.1B -o TinyLlama.Q8_0.gguf --dtype q8_0
      """)

  @Argument(help: "Checkpoint: folder or file, any format.", completion: .file()) var model: String
  @Option(
    name: [.short, .customLong("output")], help: "File or folder to write.", completion: .file())
  var outputPath: String
  @Option(help: "Format: folder, safetensors, gguf, torch, torch-folder; by the ending otherwise.")
  var to: ConvertTarget?
  @Option(help: "Type of all floating-point tensors: f32, bf16, f16, f64, f8_e4m3, f8_e5m2, q8_0.")
  var dtype: StorageTypeArgument?
  @Option(help: "Most bytes of tensors in one file of a folder, such as 5GB.")
  var maxShardSize: ByteCountArgument?
  @Option(name: .customLong("tensor"), help: "Only tensors of this name, with * and ?; repeatable.")
  var patterns: [String] = []
  @Option(help: "OLD=NEW: replace OLD in tensors' names; repeatable.")
  var rename: [RenameArgument] = []
  @Flag(help: "Allow values too large for the type.") var allowOverflow = false
  @OptionGroup var replacement: ForceOption
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  private var target: ConvertTarget { to ?? ConvertTarget(path: outputPath) }

  func validate() throws {
    if target == .gguf, !patterns.isEmpty || !rename.isEmpty {
      throw ValidationError("--tensor and --rename are not for GGUF files, whose names are fixed.")
    }
    if target != .gguf, case .block? = dtype?.type {
      throw ValidationError("Only GGUF files hold quantised blocks.")
    }
    if !target.isFolder, maxShardSize != nil {
      throw ValidationError("--max-shard-size is for folders.")
    }
  }

  func perform(_ console: Console) throws -> ConvertReport {
    let (checkpoint, faults) = try Checkpoint.opening(model).withTokenizerFiles()
    let source = try NamedTensors(checkpoint)
    let inputs = try source.checkpoint.inputs.map { try OpenFile($0) }
    let progress = ByteProgress(console, output, "convert")
    let written =
      switch target {
      case .gguf: try writeGGUF(source, progress)
      case .folder, .safetensors: try writeSafetensors(source, progress)
      case .torch, .torchFolder: try writeTorch(source, progress)
      }
    for input in inputs { try input.requireUnchanged() }
    try written.staged.publish()
    return ConvertReport(
      model: model, output: outputPath, target: target, tensors: written.tensors,
      files: written.files, warnings: checkpoint.warnings + faults + written.warnings)
  }

  /// What was staged, to be published when all checks have passed.
  struct Staged {
    var staged: StagedOutput
    var tensors: Int
    var files: [ConvertReport.File]
    var warnings: [Warning] = []
  }

  private func writeGGUF(_ source: NamedTensors, _ progress: ByteProgress) throws -> Staged {
    guard let graph = try source.graph(ignoring: configuration.ignoring) else {
      throw ModelError(model, .noConfig)
    }
    let tokenizer = try source.checkpoint.tokenizerMetadata(
      rows: graph.embedding.shape.first ?? 0)
    let file = try GGUFOutput(
      graph, from: source.checkpoint, as: dtype?.type, tokenizer: tokenizer.entries)
    let staged = try stage(source, isFolder: false, needed: file.layout.byteCount)
    let written = try progress.following {
      try file.write(to: staged.temporary, allowOverflow: allowOverflow, progress: $0)
    }
    return Staged(
      staged: staged, tensors: file.layout.entries.count,
      files: [ConvertReport.File(name: outputPath, written)],
      warnings: tokenizer.warnings + (tokenizer.entries.isEmpty ? [noTokenizer] : []))
  }

  private var noTokenizer: Warning {
    Warning("convert.no_tokenizer", "no tokenizer is written", file: outputPath)
  }

  private func writeSafetensors(
    _ source: NamedTensors, _ progress: ByteProgress
  ) throws -> Staged {
    var tensors = WantedTensors(try parameters(of: source), of: source)
    tensors.separateTies()
    return try write(
      WeightOutput<SafetensorsWriter>(
        tensors, limit: maxShardSize?.byteCount, isFolder: target.isFolder, type: elementType),
      tensors, progress)
  }

  private func writeTorch(_ source: NamedTensors, _ progress: ByteProgress) throws -> Staged {
    let tensors = WantedTensors(try parameters(of: source), of: source)
    return try write(
      WeightOutput<TorchWriter>(
        tensors, limit: maxShardSize?.byteCount, isFolder: target.isFolder, type: elementType),
      tensors, progress)
  }

  private func write<Writer: ~Copyable>(
    _ output: WeightOutput<Writer>, _ tensors: WantedTensors, _ progress: ByteProgress
  ) throws -> Staged {
    let staged = try stage(
      tensors.source, isFolder: target.isFolder, needed: output.byteCount)
    let files = try progress.following {
      try output.write(to: staged, allowOverflow: allowOverflow, progress: $0)
    }
    return Staged(
      staged: staged, tensors: tensors.parameters.count, files: files,
      warnings: tensors.warnings + (isComplete(tensors.source.checkpoint) ? [] : [noTokenizer]))
  }

  /// Whether a folder that is written has a tokenizer; of a file, nobody expects one.
  private func isComplete(_ checkpoint: Checkpoint) -> Bool {
    !target.isFolder || checkpoint.sideFiles.contains { $0.name.hasPrefix("tokenizer") }
  }

  private var elementType: ElementType? {
    if case .element(let type)? = dtype?.type { type } else { nil }
  }

  private func stage(
    _ source: NamedTensors, isFolder: Bool, needed: Int
  ) throws(FileError) -> StagedOutput {
    let inputs = [source.checkpoint.path] + source.checkpoint.inputs
    return try StagedOutput(
      at: outputPath, isFolder: isFolder, force: replacement.force, inputs: inputs, needed: needed)
  }

  /// The tensors that were asked for, under their new names and with their new type.
  private func parameters(of source: NamedTensors) throws(UsageError) -> [Parameter] {
    let patterns = patterns.map { NamePattern($0) }
    var parameters = source.parameters
    if !patterns.isEmpty {
      parameters.removeAll { parameter in !patterns.contains { $0.matches(parameter.name) } }
      guard !parameters.isEmpty else {
        throw UsageError(
          "no tensor's name matches", hint: "list the names with ckpt inspect --full")
      }
    }
    for i in parameters.indices {
      let name = rename.reduce(parameters[i].name.string) { $1.applied(to: $0) }
      parameters[i].name = TensorName(name)
      if let type = elementType, parameters[i].type.isFloatingPoint {
        parameters[i].type = type
        parameters[i].recipe.type = type
      }
    }
    return parameters
  }
}
