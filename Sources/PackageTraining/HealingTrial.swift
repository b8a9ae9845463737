import ByteIO
package import Kernels
package import Models
package import Recurrence
import RecurrentPackage
import Tensors
package import Training

/// Retrofits and heals selections of a model's layers, each with the same recipe and for the same
/// FLOPs, so that they can be compared.
package struct HealingTrial {
  private let source: OpenedModel
  private let settings: TrainingSettings
  private let flops: Double
  private let folder: String
  private let compute: Compute
  private let cache: TokenCache
  private let observer: any RunObserver

  /// - Parameters:
  ///   - recurrence: Mean recurrence of the packages, and what the curriculum ends at.
  ///   - folder: Gets a folder with a package and a run for each selection; it must not be there.
  package init(
    of source: OpenedModel, _ settings: TrainingSettings, recurrence: Int, flops: Double,
    in folder: String, on compute: Compute, cache: TokenCache, observer: any RunObserver
  ) throws {
    self.source = source
    var settings = settings
    try TrainingRecipe.set("recurrence.mean.end", to: "\(recurrence)", in: &settings)
    self.settings = settings
    self.flops = flops
    self.folder = folder
    self.compute = compute
    self.cache = cache
    self.observer = observer
    guard try pathKind(folder) == nil else { throw FileError(folder, .exists) }
  }

  /// Heals one selection.
  ///
  /// - Returns: Path of its healed package.
  package func heal(_ selection: LayerSelection) throws -> (package: String, steps: Int) {
    let own = folder + "/" + LayerSelection.ranges(selection.core)
    try createFolders(own)
    var options = RetrofitOptions(selection: selection)
    options.meanRecurrence = settings.recurrence.mean.end
    let plan = try RetrofitPlan(source.graph, options)
    let (checkpoint, _) = try source.checkpoint.withTokenizerFiles()
    let contents = try PackageContents(
      plan, of: checkpoint, sources: source.inputs, toolVersion: ToolVersion.current)
    _ = try PackageWriter(contents, source: source.checkpoint).write(to: own + "/package")
    let run = RunFolder(own + "/run")
    let session = try TrainSession(
      model: OpenedModel(own + "/package"), settings: settings, flops: flops, run: run,
      saving: TrainSession.Saving(type: .f32, factorsOnly: false), compute: compute, cache: cache,
      observer: observer, exchange: SingleProcess())
    let lock = try run.begin(session.settings, force: false)
    defer { withExtendedLifetime(lock) {} }
    _ = try session.train(resuming: false)
    return (run.package, session.settings.steps)
  }
}
