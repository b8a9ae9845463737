import ArgumentParser
import ByteIO
import Kernels
import ModelGraph
import Models
import PackageTraining
import Recurrence
import Scoring
import Training
import Transformer

/// The search for a core by looping: which blocks are tried, and how the best are healed.
struct LoopOptions: ParsableArguments {
  @Option(help: "Passes through a core.") var recurrence = 4
  @Option(help: "Share of each pass that counts, above 0 and up to 1; 1 / recurrence without it.")
  var damping: Double?
  @Option(help: "Fewest layers of a core.") var leastCore = 1
  @Option(help: "Most layers of a core; all but two without it.") var mostCore: Int?
  @Option(help: "Retrofit the best of them, this many, and heal each for the same FLOPs.")
  var heal: Int?
  @Option(help: "FLOPs of each healing, such as 1e13, everything counted.") var flops: Double?
  @Option(help: "Recipe of each healing, with its data.", completion: .file()) var recipe: String?
  @Option(
    name: [.short, .customLong("output")], help: "Folder to write for the healed packages.",
    completion: .file())
  var outputPath: String?
  @OptionGroup var cache: TokenCacheOptions

  private var healingOptions: [Bool] {
    [heal != nil, flops != nil, recipe != nil, outputPath != nil]
  }

  /// Whether any is not as it stands without.
  var areGiven: Bool {
    healingOptions.contains(true) || damping != nil || mostCore != nil || recurrence != 4
      || leastCore != 1
  }

  func validate() throws {
    let healing = healingOptions
    guard (2...Model.mostRecurrences).contains(recurrence) else {
      throw ValidationError("--recurrence must be from 2 to \(Model.mostRecurrences).")
    }
    guard damping.map({ $0 > 0 && $0 <= 1 }) ?? true else {
      throw ValidationError("--damping must be above 0 and at most 1.")
    }
    guard leastCore >= 1, mostCore ?? leastCore >= leastCore else {
      throw ValidationError("--least-core must be at least 1, and --most-core not below it.")
    }
    guard Set(healing).count == 1 else {
      throw ValidationError("--heal, --flops, --recipe and -o go together.")
    }
    guard heal ?? 1 >= 1, flops.map({ $0 > 0 && $0.isFinite }) ?? true else {
      throw ValidationError("--heal must be at least 1, --flops a positive number, such as 1e13.")
    }
  }

  /// Tries the loops, and heals the best.
  ///
  /// - Parameter meter: Shows how a healing goes on.
  func search(
    _ opened: OpenedModel, _ model: Model, _ windows: TokenWindows, threads: Int?,
    _ meter: any RunObserver, _ progress: (_ total: Int) -> () -> Void
  ) throws -> LoopReport {
    let layers = model.graph.blocks.count
    let lengths = leastCore...max(leastCore, mostCore ?? layers)
    let blocks = LoopSearch.blocks(of: layers, lengths: lengths)
    guard !blocks.isEmpty else {
      throw UsageError(
        "a core of \(leastCore) layers leaves too few for prelude and coda in a model of \(layers)",
        hint: "lower --least-core")
    }
    // Before the search, which takes long.
    let trial = try trial(of: opened, meter, threads: threads)
    let damping = Float(damping ?? 1 / Double(recurrence))
    let search = try LoopSearch(
      model, windows, lengths: lengths, passes: recurrence, damping: damping,
      progress(blocks.count * windows.windows.count))
    var report = LoopReport(
      layers: layers, recurrence: recurrence, damping: damping, search: search)
    for candidate in search.candidates.prefix(trial == nil ? 0 : heal ?? 0) {
      guard let trial else { break }
      let selection = try candidate.selection(of: layers)
      let (path, steps) = try trial.heal(selection)
      let healed = try OpenedModel(path)
      let scoring = LossScoring(
        try healed.load(on: Compute(threads)), windows, batchSize: 1)
      let losses = try [1, recurrence].map { (depth: Int) in
        (recurrence: depth, loss: try scoring.loss(depth: depth, seed: 0) { _ in }.mean)
      }
      report.healed.append(
        LoopReport.Healed(selection: selection, package: path, steps: steps, losses: losses))
    }
    return report
  }

  private func trial(
    of opened: OpenedModel, _ meter: any RunObserver, threads: Int?
  ) throws -> HealingTrial? {
    guard let recipe, let flops, let outputPath else { return nil }
    var settings = TrainingSettings()
    try TrainingRecipe.apply(recipe, to: &settings)
    try settings.precision.requireProcessor()
    try settings.requireData(hint: "name text or tokens with data.sources in \(recipe)")
    return try HealingTrial(
      of: opened, settings, recurrence: recurrence, flops: flops, in: outputPath,
      on: Compute(threads, precision: settings.precision), cache: TokenCache(cache.folder),
      observer: meter)
  }
}
