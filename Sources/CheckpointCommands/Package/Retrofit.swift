import ArgumentParser
import ByteIO
import Checkpoint
import Kernels
import ModelGraph
import Models
import Recurrence
import RecurrentPackage
import Scoring
import Tensors
import Transformer
import Verification

/// `ckpt retrofit`: a recurrent package from a source model.
struct Retrofit: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Make a depth-recurrent package from a pretrained model.",
    discussion: """
      Layers are numbered from 0. Counts take the prelude from the first layers, and core and coda \
      from the last; --select lists the layers, in ranges that include their ends. What is not selected \
      is dropped. A model that is already recurrent is rewritten in another dialect or type.

      Example:
        ckpt retrofit TinyLlama-1.1B --prelude 4 --core 8 --coda 4 -o TinyLlama-4-8-4
        ckpt retrofit SmolLM2-135M --select 0-3/10-17/26-29 --dry-run
      """)

  @Argument(help: "Source model: folder or file, any format.", completion: .file()) var model:
    String
  @OptionGroup(title: mainOptions) var main: MainOptions

  @Option(
    help: "A published selection: \(LayerSelection.presets.map(\.name).joined(separator: ", ")).",
    completion: .list(LayerSelection.presets.map(\.name)))
  var preset: String?

  @OptionGroup var choices: RetrofitChoices

  @Option(help: "The source's repository, such as OWNER/NAME, for the model card.")
  var baseModel: String?
  @Option(help: "At most this many bytes of tensors per weight file, such as 5GB.")
  var maxShardSize: ByteCountArgument?
  @Flag(help: "Allow values that become infinite in a cast.") var allowOverflow = false
  @Flag(help: "Show what would be written, to the last tensor, and write nothing.")
  var dryRun = false
  @OptionGroup var threading: ThreadOptions
  @OptionGroup var replacement: ForceOption
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  /// The five options that matter first.
  struct MainOptions: ParsableArguments {
    @Option(
      name: [.short, .customLong("output")], help: "Package folder to write.", completion: .file())
    var outputPath: String?
    @Option(help: "Layers in the prelude, from the first on.") var prelude: Int?
    @Option(help: "Layers in the core, just before the coda.") var core: Int?
    @Option(help: "Layers in the coda, up to the last.") var coda: Int?
    @Option(help: "Layers of prelude, core and coda, such as 0-3/10-17/18-21.") var select: String?
  }

  func validate() throws {
    let counts = [main.prelude, main.core, main.coda].compactMap { $0 }.count
    guard counts == 0 || counts == 3 else {
      throw ValidationError("--prelude, --core and --coda go together.")
    }
    guard (counts == 3 ? 1 : 0) + (main.select == nil ? 0 : 1) + (preset == nil ? 0 : 1) < 2 else {
      throw ValidationError("Give counts, --select or --preset, not several of them.")
    }
    guard dryRun || main.outputPath != nil else {
      throw ValidationError("Say where to write with -o, or pass --dry-run.")
    }
  }

  func perform(_ console: Console) throws -> RetrofitReport {
    let source = try OpenedModel(model, ignoring: configuration.ignoring)
    let adapter = try choices.adapter(hidden: source.graph.sizes.hidden)
    var options = choices.options
    options.selection = try selection(of: source.graph)
    options.adapter = adapter.start
    if let text = choices.calibrateOn {
      guard let selection = options.selection else { throw ModelError(model, .alreadyRecurrent) }
      options.preludeScale = try preludeScale(of: source, selection.prelude, on: text)
    }
    let plan = try RetrofitPlan(source.graph, options)
    let (checkpoint, faults) = try source.checkpoint.withTokenizerFiles()
    let contents = try PackageContents(
      plan, of: checkpoint, sources: source.inputs + adapter.inputs, repository: baseModel,
      toolVersion: ToolVersion.current)
    var writing = WriteOptions()
    writing.shardLimit = maxShardSize?.byteCount
    writing.force = replacement.force
    writing.allowOverflow = allowOverflow
    // Two at least, so that one works while the other waits for the disk.
    writing.threads = threading.threads ?? max(2, ThreadPool.processorCount)
    let writer = try PackageWriter(
      contents, source: adapter.overlay(source.checkpoint), options: writing)
    var report = RetrofitReport(
      model: model, output: main.outputPath, plan: plan, source: adapter.overlay(source.checkpoint),
      byteCount: writer.byteCount,
      warnings: try source.checkpoint.warnings + source.graph.notes
        + faults + scaleWarnings(plan, options)
        + PackageContents.warnings(for: plan, of: checkpoint))
    if let outputPath = main.outputPath, !dryRun {
      let written = try ByteProgress(console, output, "retrofit").following { progress in
        try writer.write(to: outputPath, progress: progress)
      }
      report.byteCount = written.byteCount
      report.root = written.manifest.root
      report.warnings += written.warnings
    }
    return report
  }

  private func preludeScale(
    of source: OpenedModel, _ prelude: [Int], on text: String
  ) throws -> Double {
    let length = min(256, source.graph.sizes.context)
    let windows = try TokenWindows(text, by: source.tokenizer(), length: length, count: 16)
    guard !windows.windows.isEmpty else {
      throw UsageError("\(text) has fewer than \(length) tokens", hint: "give more text")
    }
    var meter = try PreludeMeter(
      source.graph, prelude: prelude, from: source.checkpoint, on: threading.compute())
    for window in windows.windows {
      try Interruption.check()
      try meter.add(
        Batch(tokens: window.tokens, sequences: 1, firstVisible: window.firstVisible))
    }
    let scale = meter.rootMeanSquare
    guard scale.isFinite, scale > 0 else {
      throw TransformerError(.nonFiniteState(layer: prelude.last ?? 0))
    }
    return scale
  }

  /// A start that is drowned by the prelude's output, or drowns it, is told.
  private func scaleWarnings(_ plan: RetrofitPlan, _ options: RetrofitOptions) -> [Warning] {
    guard let scale = options.preludeScale,
      case .normal(let deviation)? = plan.result.recurrence?.stateStart,
      !(0.1...10).contains(deviation / scale)
    else { return [] }
    return [
      Warning(
        "retrofit.state_scale",
        "the state starts with standard deviation \(fixed(deviation, 4)), but the "
          + "prelude's output has \(fixed(scale, 4)) on this text: --state "
          + "calibrated starts it there",
        file: choices.calibrateOn)
    ]
  }

  private func selection(of graph: ModelGraph) throws -> LayerSelection? {
    let count = graph.blocks.count
    if let select = main.select { return try LayerSelection(select, of: count) }
    if let preset { return try LayerSelection(preset: preset, of: count) }
    guard let prelude = main.prelude, let core = main.core, let coda = main.coda else { return nil }
    return try LayerSelection(prelude: prelude, core: core, coda: coda, of: count)
  }
}
