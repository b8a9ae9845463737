import ArgumentParser
import ByteIO
import Kernels
import Models
import PackageTraining
import RecurrentPackage
import Reports
import Training

/// `ckpt train`: carries a package through a training run.
struct Train: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Train a recurrent package, or the source model itself, on the CPU.",
    discussion: """
      The run folder receives metrics.jsonl, evaluations.jsonl, recipe.yaml, report.html, curve.svg, \
      checkpoints and the trained package. A run that was stopped goes on with --resume, and gives \
      the same losses as one that was not; with more --steps, a finished run goes on past its end.

      Built with the package trait MPI, ckpt trains in several processes that share the batch: \
      mpirun -n N ckpt train ….

      Example:
        ckpt train smollm2-r --data corpus.jsonl -o run --steps 300
        ckpt train smollm2-r --data a.jsonl:0.7 b.txt:0.3 -o run --preset healing
      """)

  @Argument(help: "Package, or source model.", completion: .file()) var model: String
  @OptionGroup var choices: TrainChoices
  @Option(
    help: """
      FLOPs that the run may cost, such as 1e15, everything counted; it runs as many steps as the \
      budget allows.
      """)
  var flops: Double?
  @Option(
    help: """
      The model that the package was made from: its loss on the held-out rows is measured once, before \
      training, and shown beside the run's.
      """, completion: .file())
  var source: String?
  @Option(name: [.short, .long], help: "Compute threads; one per processor by default.")
  var threads: Int?
  @OptionGroup var cache: TokenCacheOptions
  @OptionGroup var saving: SaveChoices
  @Flag(help: "Go on with the run in the output folder.") var resume = false
  @Flag(help: "Print the whole recipe and train nothing.") var printRecipe = false
  @Flag(
    help: """
      Write tokens, and a recipe that names them, to the output folder, to train elsewhere; train \
      nothing.
      """)
  var prepare = false
  @OptionGroup var replacement: ForceOption
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard printRecipe || choices.main.outputPath != nil else {
      throw ValidationError("Say where the run goes with -o, or pass --print-recipe.")
    }
    guard !(resume && replacement.force) else {
      throw ValidationError("--resume and --force exclude each other.")
    }
    guard flops.map({ $0 > 0 && $0.isFinite }) ?? true else {
      throw ValidationError("--flops must be a positive number, such as 1e15.")
    }
    guard flops == nil || choices.main.steps == nil && !prepare && !printRecipe else {
      throw ValidationError("--flops takes the place of --steps, and is only for a run.")
    }
    guard !(resume && prepare) else {
      throw ValidationError("--resume and --prepare exclude each other.")
    }
  }

  func perform(_ console: Console) throws -> TrainReport {
    guard let outputPath = choices.main.outputPath, !printRecipe else {
      return .recipe(try choices.applied(to: TrainingSettings()), for: model)
    }
    if prepare { return try prepareData(in: RunFolder(outputPath), console) }
    let group = GroupedRun { render($0, to: console) }
    let outcome = try group.perform {
      try train(in: RunFolder(outputPath), console, $0, threads: threads ?? $1)
    }
    return outcome.map { .run($0, hasColor: console.hasColor) } ?? .elsewhere
  }

  private func prepareData(in folder: RunFolder, _ console: Console) throws -> TrainReport {
    let meter = StepMeter(console, output, SingleProcess())
    let data = try TrainingData(
      settings(of: folder, isNew: true), for: OpenedModel(model, ignoring: configuration.ignoring),
      cache: TokenCache(cache.folder), observer: meter)
    let prepared = try PreparedData(data, in: folder.path, force: replacement.force)
    meter.endLine()
    return .prepared(prepared, for: model)
  }

  private func train(
    in run: RunFolder, _ console: Console, _ exchange: any GradientExchange, threads: Int?
  ) throws -> TrainingOutcome? {
    let isNew = try exchange.together { try !resume || run.isUnborn() }
    let asked = try exchange.together { try checkedSettings(of: run, isNew: isNew) }
    let session = try TrainSession(
      model: exchange.together { try OpenedModel(model, ignoring: configuration.ignoring) },
      // A run that goes on has it in its log.
      source: exchange.together { try isNew ? source.map { try OpenedModel($0) } : nil },
      settings: asked, flops: flops, run: run,
      saving: saving.saving, compute: try Compute(threads, precision: asked.precision),
      cache: TokenCache(cache.folder), observer: StepMeter(console, output, exchange),
      exchange: exchange, report: Self.writeReport)
    let settings = session.settings
    let lock = try exchange.together { () -> FileLock? in
      if !isNew, settings.steps < asked.steps {
        throw TrainingError(
          .otherSetting(key: "steps", run: "\(asked.steps)", asked: "\(settings.steps)"), run.path)
      }
      guard exchange.isFirst else { return nil }
      if !isNew {
        let lock = try run.hold()
        try extend(run, to: settings, console)
        return lock
      }
      return try run.begin(settings, force: replacement.force)
    }
    defer { withExtendedLifetime(lock) {} }
    return try session.train(resuming: !isNew)
  }

  /// Writes the page about a run, whole or not at all.
  private static func writeReport(of run: RunFolder, _ package: String?) throws {
    let page = try ReportPage(
      runs: [RunSummary(run.path)], package: package.map { try PackageSummary($0) })
    try run.write(page.html, to: run.report)
  }

  private func checkedSettings(of run: RunFolder, isNew: Bool) throws -> TrainingSettings {
    let settings = try settings(of: run, isNew: isNew)
    try settings.precision.requireProcessor()
    guard !saving.factorsOnly || settings.mode == .lora else {
      throw UsageError(
        "there are no factors in mode \(settings.mode.rawValue)", hint: "pass --mode lora")
    }
    return settings
  }

  /// The settings of a new run, or of the one that goes on, which flags may repeat but not change.
  private func settings(of run: RunFolder, isNew: Bool) throws -> TrainingSettings {
    if isNew {
      let settings = try choices.applied(to: TrainingSettings())
      try settings.requireData(hint: "name text or tokens with --data")
      return settings
    }
    guard try pathKind(run.recipe) == .file else {
      throw TrainingError(.nothingToResume, run.path)
    }
    var settings = try Self.settings(of: run)
    let asked = try choices.applied(to: settings)
    settings.steps = max(settings.steps, asked.steps)
    if let change = TrainingRecipe.difference(settings, asked) {
      throw TrainingError(
        .otherSetting(key: change.key, run: change.old, asked: change.new), run.path)
    }
    return settings
  }

  private static func settings(of run: RunFolder) throws -> TrainingSettings {
    var settings = TrainingSettings()
    try TrainingRecipe.apply(run.recipe, to: &settings)
    return settings
  }

  /// Writes more steps into the recipe of a run that goes on.
  private func extend(_ run: RunFolder, to settings: TrainingSettings, _ console: Console) throws {
    let before = try Self.settings(of: run).steps
    guard settings.steps > before else { return }
    try run.writeRecipe(settings)
    if output.quiet { return }
    console.note(
      "extended from \(before) to \(settings.steps) steps: learning rate and recurrences are those "
        + "of a run of \(settings.steps) steps from here on")
  }
}
