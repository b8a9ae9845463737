import ArgumentParser
import ByteIO
import Checkpoint
import ModelGraph
import Models
import RecurrentPackage
import Tensors
import TransformersExport
import Verification

/// `ckpt export`: a recurrent model as a folder that another program runs.
struct Export: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Write a recurrent model for transformers, vLLM or mlx-lm.",
    discussion: """
      --to transformers writes a folder with modelling code: AutoModelForCausalLM loads it with \
      trust_remote_code=True, vLLM serves it with as many recurrences as --recurrence says, and every \
      command here reads it, even after training and save_pretrained. --to mlx writes a folder that \
      mlx-lm loads in the same way. --to unrolled writes a plain model of the family, with the core's \
      layers one after another, if that computes exactly the same, and says why not if it does not. \
      The card of a recurrent folder says how deep is safe, provided that the package's \
      VERIFICATION.json certifies its weights (`ckpt verify --stability`) and they keep their type.

      Example:
        ckpt export run/package --to transformers --recurrence 8 -o smollm2-hf
        ckpt export run/package --to mlx -o smollm2-mlx
        ckpt export smollm2-r --to unrolled --recurrence 1 -o smollm2-16
      """)

  /// What is written.
  enum Target: String, ExpressibleByArgument, CaseIterable {
    /// The recurrent model with its modelling code.
    case transformers
    /// The same with code for mlx-lm.
    case mlx
    /// A plain model at one number of recurrences.
    case unrolled
  }

  @Argument(
    help: "Recurrent model: a package or its tar, or an exported folder.", completion: .file())
  var model: String
  @Option(help: "What to write.") var to: Target
  @Option(
    name: [.short, .customLong("output")], help: "Folder to write.",
    completion: .directory)
  var outputPath: String
  @Option(
    help: "Recurrences that the folder runs unless a call says otherwise, or that are unrolled.")
  var recurrence: Int?
  @Option(help: "Type of all tensors; unchanged by default.")
  var dtype: SaveType?
  @Option(help: "At most this many bytes of tensors per weight file, such as 5GB.")
  var maxShardSize: ByteCountArgument?
  @Flag(help: "Allow values that become infinite in a cast.") var allowOverflow = false
  @OptionGroup var replacement: ForceOption
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard to != .unrolled || recurrence != nil else {
      throw ValidationError("--to unrolled needs --recurrence.")
    }
    guard recurrence.map({ (1...10_000).contains($0) }) ?? true else {
      throw ValidationError("--recurrence must be from 1 to 10000.")
    }
  }

  func perform(_ console: Console) throws -> ExportReport {
    let opened = try OpenedModel(model, ignoring: configuration.ignoring)
    var source = ExportedFolder.Source(
      try opened.checkpoint.withWrittenTokenizer(), opened.graph, inputs: opened.inputs,
      toolVersion: ToolVersion.current, type: dtype?.elementType)
    // It is about the weights as they are.
    if dtype == nil, to != .unrolled { source.depthNotes = try certificate()?.markdown }
    let folder =
      switch to {
      case .transformers: try ExportedFolder.recurrent(source, recurrence: recurrence)
      case .mlx: try ExportedFolder.recurrent(source, for: .mlx, recurrence: recurrence)
      case .unrolled: try ExportedFolder.unrolled(source, recurrence: recurrence ?? 1)
      }
    var options = WriteOptions()
    options.shardLimit = maxShardSize?.byteCount
    options.force = replacement.force
    options.allowOverflow = allowOverflow
    let written = try PackageWriter(
      folder.contents, source: opened.checkpoint, options: options
    ).write(to: outputPath)
    return ExportReport(
      model: model, output: outputPath, target: to, recurrence: recurrence, folder: folder,
      written: written,
      warnings: opened.checkpoint.warnings + opened.graph.notes + warnings(folder)
        + written.warnings)
  }

  /// The certificate that lies in the package, where it is the package's own.
  private func certificate() throws -> StabilityCertificate? {
    let isPackage = try pathKind(model) == .file || pathKind(model + "/" + Manifest.name) == .file
    return isPackage
      ? try RecordedVerification(in: RecurrentPackage.open(model))?.ownCertificate : nil
  }

  private func warnings(_ folder: ExportedFolder) -> [Warning] {
    if SideFiles.hasTokenizer(folder.contents.sideFiles.map(\.name)) { return [] }
    return [
      Warning(
        "export.no_tokenizer", "the model has no tokenizer, so the folder has none", file: model)
    ]
  }
}
