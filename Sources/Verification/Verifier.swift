package import ByteIO
import JSON
package import Kernels
import ModelGraph
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
  package let workers: Workers
  private var loadedModel: Model?
  private var straightLine: ForwardResult?

  /// - Parameter batch: Nil takes a fixed one.
  package init(
    package: RecurrentPackage?, model: ReadableModel,
    source: (model: ReadableModel, files: [ByteRegion])?, batch: Batch?, workers: Workers
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
    self.workers = workers
  }

  /// Checks that `run` makes.
  package static let checkCount = 8

  /// All checks, in order.
  ///
  /// - Parameter report: Called with each check as soon as it is answered.
  package func run(_ report: (Check) -> Void = { _ in }) throws -> [Check] {
    var checks: [Check] = []
    func add(_ new: [Check]) throws {
      try Interruption.check()
      for check in new { report(check) }
      checks += new
    }
    try add([integrity()])
    try add([sourceBytes()])
    try add(parity())
    try add([directEvaluation()])
    try add([CacheCheck(model: loaded(), batch: batch.beginning()).run()])
    try add(StateChecks(model: loaded(), batch: batch).run())
    return checks
  }

  /// The package's model.
  package func loaded() throws -> Model {
    if let loadedModel { return loadedModel }
    let model = try Model(model.graph, from: model.source, on: workers)
    loadedModel = model
    return model
  }

  /// Whether the weights were, or may have been, trained after the retrofit, so that they are the
  /// source's no more.
  private var isTrained: Bool {
    package.map { $0.manifest.record["training"]?.array?.isEmpty == false } ?? true
  }

  // MARK: Bytes

  private func integrity() throws -> Check {
    guard let package else {
      return Check(
        "integrity", .skipped,
        "there is no manifest.json, so nothing says which bytes were written")
    }
    let problems = try package.integrityProblems(threads: workers.count)
    let count = package.manifest.files.count
    guard problems.isEmpty else {
      return Check(
        "integrity", .failed, Self.list(problems),
        measures: ["problems": JSONValue(problems.count)])
    }
    return Check(
      "integrity", .passed,
      "\(count) files and \(package.manifest.tensors.count) tensors are as the manifest says; "
        + "root \(package.manifest.root)",
      measures: ["files": JSONValue(count)])
  }

  private func sourceBytes() throws -> Check {
    guard let source else {
      return Check(
        "source.bytes", .skipped, "no source was given; name it with --source to compare its bytes")
    }
    guard let package else {
      return Check(
        "source.bytes", .skipped,
        "there is no manifest.json, so nothing says which of the source's bytes were copied")
    }
    guard !isTrained else {
      return Check(
        "source.bytes", .skipped, "the weights were trained: they are the source's no more")
    }
    let found = try package.sourceProblems(source.files, threads: workers.count)
    guard found.problems.isEmpty else {
      return Check(
        "source.bytes", .failed, Self.list(found.problems),
        measures: ["problems": JSONValue(found.problems.count)])
    }
    let computed = package.manifest.tensors.count - found.tensors
    return Check(
      "source.bytes", .passed,
      "\(found.tensors) copied tensors equal their source spans, \(found.byteCount) bytes; "
        + "\(computed) were computed",
      measures: ["tensors": JSONValue(found.tensors), "bytes": JSONValue(found.byteCount)])
  }

  /// The first problems, and how many more there are.
  private static func list(_ problems: [PackageError]) -> String {
    let shown = problems.prefix(3).map { "\($0)" }.joined(separator: "; ")
    return problems.count > 3 ? shown + "; and \(problems.count - 3) more" : shown
  }

  // MARK: Numbers

  /// Whether every weight of the package has exactly the source's value.
  private var isExact: Bool {
    package?.manifest.tensors.contains { tensor in
      tensor.operations.contains { $0.hasPrefix("cast") }
    } == false
  }

  /// Whether the adapter gives the prelude's output as it is, whatever the state.
  var passesPrelude: Bool {
    !isTrained && model.graph.config["adapter_init"]?.string == "prelude"
  }

  /// Compares the package with its layers in a straight line, those of the source when there is one
  /// to compare with.
  func parity() throws -> [Check] {
    let wanted = try straightened()
    return try parity(loaded(), wanted)
  }

  /// The same for a model in the package's place.
  func parity(_ model: Model, _ wanted: ForwardResult) throws -> [Check] {
    let checks = ParityChecks(
      wanted: wanted, batch: batch, isExact: comparedSource == nil || isExact)
    return try checks.run(model, usesAdapter: passesPrelude)
  }

  private var comparedSource: ReadableModel? { isTrained ? nil : source?.model }

  /// What the straight line of layers gives.
  func straightened() throws -> ForwardResult {
    if let straightLine { return straightLine }
    let result: ForwardResult
    if let source = comparedSource {
      result = try Model(source.graph, from: source.source, on: workers).forward(
        batch,
        ForwardOptions(blocks: model.graph.blocks.map(\.sourceLayer), keepsHidden: true))
    } else {
      result = try loaded().straightened().forward(batch, ForwardOptions(keepsHidden: true))
    }
    straightLine = result
    return result
  }

  /// Compares the graph that ships, adapter included, with the textbook formulas in Double.
  private func directEvaluation() throws -> Check {
    let limit = 1e-5
    let batch = try batch.beginning(8)
    let (count, hidden) = (batch.length, model.graph.sizes.hidden)
    let stream = RandomStream(seed: 11, stream: 0)
    let state = (0..<(count * hidden)).map { Float(stream.truncatedNormal(at: UInt64($0)) * 0.1) }
    let rows = (0..<count).map { row in
      state[(row * hidden)..<((row + 1) * hidden)].map(Double.init)
    }
    let wanted = try ReferenceForward(model).latent(batch.tokens, recurrence: 2, state: rows)
    let found = try loaded().forward(
      batch, ForwardOptions(recurrence: 2, state: .given(state), logits: .none))
    let distance = Distance(
      found.latent?.floats ?? [], from: wanted.flatMap { $0.map { Float($0) } })
    let isClose = distance.isFinite && distance.relativeNorm <= limit
    return Check(
      "graph.direct", isClose ? .passed : .failed,
      "two recurrences, adapter included, against the formulas in float64: relative norm "
        + "\(scientific(distance.relativeNorm)), at most \(limit) allowed",
      measures: distance.json(limit: limit))
  }
}
