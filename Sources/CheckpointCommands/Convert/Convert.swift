import ArgumentParser
import ByteIO
import Checkpoint
import Conversion
import ModelGraph
import Models
import Tensors

/// `ckpt convert`: the same tensors in another format, type or division into files.
struct Convert: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint in another format or type.",
    discussion: """
      The output's extension decides the format: .safetensors, .gguf, .pt, .pth or .bin; a name \
      without one means a Hugging Face folder with safetensors. Tensors get the names of such a folder, \
      whatever the source calls them. Quantised weights are decoded. Everything is streamed; the \
      output appears whole or not at all.

      Example:
        ckpt convert SmolLM2.Q4_1.gguf -o SmolLM2 --dtype bf16
        ckpt convert pytorch_model.bin -o model.safetensors
        ckpt convert model.safetensors -o model.pt
        ckpt convert TinyLlama-1.1B -o TinyLlama.Q8_0.gguf --dtype q8_0
      """)

  @Argument(help: "Checkpoint: folder or file, any format.", completion: .file()) var model: String
  @OptionGroup(title: mainOptions) var main: MainOptions
  @Option(help: "OLD=NEW: replace OLD with NEW in tensors' names; repeatable.")
  var rename: [RenameArgument] = []
  @Flag(help: "Allow values that are too large for the type.") var allowOverflow = false
  @OptionGroup var replacement: ForceOption
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  /// The five options that matter first.
  struct MainOptions: ParsableArguments {
    @Option(
      name: [.short, .customLong("output")], help: "File or folder to write.", completion: .file())
    var outputPath: String
    @Option(help: "Format; by default the output's extension decides.")
    var to: Conversion.Target?
    @Option(help: "Type of all floating-point tensors; unchanged by default.")
    var dtype: StorageTypeArgument?
    @Option(
      name: .customLong("tensor"),
      help: "Only tensors whose names match; * and ? are wildcards; repeatable.")
    var patterns: [String] = []
    @Option(help: "At most this many bytes of tensors per file of a folder, such as 5GB.")
    var maxShardSize: ByteCountArgument?
  }

  private var target: Conversion.Target {
    main.to ?? Conversion.Target(path: main.outputPath)
  }

  func validate() throws {
    if main.to == nil, target == .folder, let ending = Self.ending(of: main.outputPath) {
      throw ValidationError(
        "No \(ending) files are written; for a folder of that name, pass --to folder.")
    }
    if target == .gguf, !main.patterns.isEmpty || !rename.isEmpty {
      throw ValidationError("--tensor and --rename are not for GGUF files, whose names are fixed.")
    }
    if target != .gguf, case .block? = main.dtype?.type {
      throw ValidationError("Only GGUF files hold quantised blocks.")
    }
    if !target.isFolder, main.maxShardSize != nil {
      throw ValidationError("--max-shard-size is for folders.")
    }
  }

  /// What a path ends in, if that looks like the format of a file and not like a part of a folder's
  /// name, as the `.1-8B` of Llama-3.1-8B: a point, a letter, and at most ten letters and digits more.
  private static func ending(of path: String) -> Substring? {
    guard let point = path.lastIndex(of: ".") else { return nil }
    let word = path[point...].dropFirst()
    guard let first = word.first, first.isLetter, word.count <= 11,
      word.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }),
      !path[..<point].isEmpty, path[..<point].last != "/"
    else { return nil }
    return path[point...]
  }

  func perform(_ console: Console) throws -> ConvertReport {
    let (checkpoint, faults) = try Checkpoint.opening(model).withTokenizerFiles()
    let source = try NamedTensors(checkpoint)
    var conversion = Conversion(to: target, as: main.dtype?.type)
    conversion.shardLimit = main.maxShardSize?.byteCount
    conversion.allowOverflow = allowOverflow
    conversion.force = replacement.force
    conversion.ignored = configuration.ignoring
    let parameters = try parameters(of: source)
    let written = try ByteProgress(console, output, "convert").following {
      try conversion.write(parameters, of: source, to: main.outputPath, progress: $0)
    }
    return ConvertReport(
      model: model, output: main.outputPath, target: target, written: written,
      warnings: checkpoint.warnings + faults + written.warnings)
  }

  private var elementType: ElementType? {
    if case .element(let type)? = main.dtype?.type { type } else { nil }
  }

  /// The tensors that were asked for, under their new names and with their new type.
  private func parameters(of source: NamedTensors) throws(UsageError) -> [Parameter] {
    let patterns = main.patterns.map { NamePattern($0) }
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
