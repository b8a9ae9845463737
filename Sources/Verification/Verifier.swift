package import ByteIO
import JSON
package import Kernels
import ModelGraph
import Recurrence
package import RecurrentPackage
import Tensors
package import Transformer

/// Asks every question of a package: is it whole, is it made of the source's bytes, does its graph
/// compute what the source computes, and does its state behave?
///
/// The source's weights are in memory for one pass, and gone before the package's are loaded, which
/// are loaded once.
package final class Verifier {
  /// Nil for a folder without a manifest, such as one that transformers saved: what was written, and
  /// from what, cannot be asked there.
  package let package: RecurrentPackage?
  package let model: ReadableModel
  /// The model the package was made from, and the files that hold it; nil when none was given.
  package let source: (model: ReadableModel, files: [ByteRegion])?
  /// What the models run on.
  package let batch: Batch
  package let compute: Compute
  private var loadedModel: Model?
  private var straightLine: ForwardResult?
  private var finiteWeights: Check?

  /// - Parameter batch: Nil takes a fixed one.
  package init(
    package: RecurrentPackage?, model: ReadableModel,
    source: (model: ReadableModel, files: [ByteRegion])?, batch: Batch?, compute: Compute
  ) throws {
    guard model.graph.recurrence != nil else { throw VerificationError(.notRecurrent) }
    if let graph = source?.model.graph {
      guard graph.recurrence == nil else { throw VerificationError(.sourceRecurrent) }
      let needed = (model.graph.blocks.map(\.sourceLayer).max() ?? -1) + 1
      guard graph.blocks.count >= needed else {
        throw VerificationError(.sourceTooShort(layers: graph.blocks.count, needed: needed))
      }
    }
    self.package = package
    self.model = model
    self.source = source
    self.batch = try batch ?? .probe(for: model.graph.sizes)
    self.compute = compute
  }

  /// Checks that `run` makes of a package whose weights are numbers.
  package static let checkCount = 10

  /// All checks, in order; those that run the model are left out when a weight is no number.
  ///
  /// - Parameter report: Called with each check as soon as it is answered.
  package func run(_ report: (Check) -> Void = { _ in }) throws -> [Check] {
    var checks: [Check] = []
    func add(_ new: [Check]) throws {
      try Interruption.check()
      for check in new { report(check) }
      checks += new
    }
    if let bytes {
      try add([bytes.integrity()])
      try add([bytes.copied()])
      try add([bytes.computed()])
    } else {
      try add(ByteChecks.withoutManifest)
    }
    try add([finiteness()])
    guard try runsModel() else { return checks }
    try add(parity())
    try add([DirectEvaluation(model: loaded(), readable: model, batch: batch).run()])
    try add([CacheCheck(model: loaded(), batch: batch.beginning()).run()])
    try add(StateChecks(model: loaded(), batch: batch).run())
    return checks
  }

  /// The package's model.
  package func loaded() throws -> Model {
    if let loadedModel { return loadedModel }
    let model = try Model(model.graph, from: model.source, on: compute)
    loadedModel = model
    return model
  }

  /// Whether the weights were, or may have been, trained after the retrofit, so that they are the
  /// source's no more.
  private var isTrained: Bool {
    package?.manifest.isTrained ?? true
  }

  /// Whether the model can be run: its weights are numbers.
  package func runsModel() throws -> Bool { try finiteness().verdict == .passed }

  /// Whether every weight is a finite number: loading a model looks at all of them.
  func finiteness() throws -> Check {
    if let finiteWeights { return finiteWeights }
    let check = try lookForNonFinite()
    finiteWeights = check
    return check
  }

  private func lookForNonFinite() throws -> Check {
    let name = "weights.finite"
    var owner = comparedSource == nil ? "" : "the source's "
    do {
      _ = try straightened()
      owner = ""
      _ = try loaded()
    } catch let error as TransformerError {
      guard case .nonFiniteWeight(let tensor) = error.problem else { throw error }
      return Check(
        name, .failed, "\(owner)\(tensor) holds NaN or infinite values; the model was not run",
        measures: ["tensor": .string(tensor.string)])
    }
    return Check(name, .passed, "no weight is NaN or infinite")
  }

  /// Nil without a manifest.
  var bytes: ByteChecks? {
    package.map {
      ByteChecks(
        package: $0, model: model, source: source, isTrained: isTrained, threads: compute.count)
    }
  }

  // MARK: Parity

  /// Whether the first pass gets the prelude's output as it is: from an adapter that gives nothing else,
  /// or as the sum of it and what becomes of a state of zeros.
  var passesPrelude: Bool {
    guard !isTrained, let body = model.graph.recurrence else { return false }
    switch body.injection.kind {
    case .linear: return model.graph.config["adapter_init"]?.string == "prelude"
    case .add, .diagonal: return body.stateStart == .zero
    // The gate is open before it is trained.
    case .gated: return true
    case .carry: return false
    }
  }

  /// Compares the package with its layers in a straight line, those of the source when there is one
  /// to compare with.
  func parity() throws -> [Check] { try parity(loaded()) }

  /// The same for a model in the package's place.
  func parity(_ model: Model) throws -> [Check] {
    let checks = try ParityChecks(wanted: straightened(), batch: batch)
    return try checks.run(model, usesAdapter: passesPrelude)
  }

  private var comparedSource: ReadableModel? { isTrained ? nil : source?.model }

  /// What the straight line of layers gives.
  private func straightened() throws -> ForwardResult {
    if let straightLine { return straightLine }
    let line =
      try comparedSource.map { source in
        try Model(source.graph.line(like: model.graph), from: source.source, on: compute)
      } ?? loaded().straightened()
    let result = try line.forward(batch, ForwardOptions(keepsHidden: true))
    straightLine = result
    return result
  }
}

extension ModelGraph {
  /// The layers of this source model that `package` has, in its order, and in its type when it has
  /// only one: a cast rounds the same values on either way.
  fileprivate func line(like package: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    var line = self
    line.body = .plain(package.blocks.map { blocks[$0.sourceLayer] })
    guard let type = package.parameters.first?.type,
      package.parameters.allSatisfy({ $0.type == type })
    else { return line }
    return try Cast(to: type).apply(line)
  }
}
