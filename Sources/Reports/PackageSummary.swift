import ByteIO
import JSON
import ModelGraph
import Models
import Recurrence
package import RecurrentPackage
package import Verification

/// A package, or another model's folder, as far as it is reported.
package struct PackageSummary {
  package let path: String
  let graph: ModelGraph
  /// nil where there is none, and nothing to hold the files to.
  package let manifest: Manifest?
  /// How the files differ from the manifest; nil where that was not asked.
  package let problems: [PackageError]?
  /// What `ckpt verify` found, where its report lies in the package.
  package let verification: RecordedVerification?

  /// Opens what is at `path`, and compares every file with the manifest.
  ///
  /// - Parameter progress: Called with the bytes read so far and the bytes there are.
  package init(
    _ path: String, progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
  ) throws {
    self.path = path
    graph = try OpenedModel(path).graph
    let isFolder = try pathKind(path) == .folder
    let hasManifest =
      try isFolder
      ? pathKind(path + "/" + Manifest.name) == .file : RecurrentPackage.isArchive(path)
    let package = hasManifest ? try RecurrentPackage.open(path) : nil
    manifest = package?.manifest
    verification = try package.flatMap { try RecordedVerification(in: $0) }
    problems = try package?.integrityProblems(progress: progress)
  }

  package enum Integrity: String {
    case passed
    case failed
    /// Without a manifest there is nothing to compare with.
    case unknown
  }

  package var integrity: Integrity {
    problems.map { $0.isEmpty ? .passed : .failed } ?? .unknown
  }

  /// Two folders of a run's own: all of these are called `package`.
  var name: String {
    let parts = path.split(separator: "/").filter { $0 != "." }
    return parts.suffix(parts.last == "package" ? 2 : 1).joined(separator: "/")
  }

  var retrofit: JSONValue? { manifest?.record["retrofit"] }

  /// Layers of the source; nil where the manifest does not say a number that fits the graph's.
  var sourceLayers: Int? {
    guard let count = retrofit?["source_layers"]?.integer,
      let last = graph.blocks.map(\.sourceLayer).max(), last < count, count <= 10_000
    else { return nil }
    return count
  }

  /// The source's layers that are in no part.
  var dropped: [Int] {
    let used = Set(graph.blocks.map(\.sourceLayer))
    return sourceLayers.map { (0..<$0).filter { !used.contains($0) } } ?? []
  }

  var counts: ParameterCounts { ParameterCounts(graph) }
}
