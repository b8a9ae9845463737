import ByteIO
import JSON
import ModelGraph
import Recurrence
import RecurrentPackage
import Tensors

/// Looks at a package's bytes: are they what was written, and what the source gives?
struct ByteChecks {
  let package: RecurrentPackage
  let model: ReadableModel
  /// The model the package was made from, and the files that hold it; nil when none was given.
  let source: (model: ReadableModel, files: [ByteRegion])?
  /// Whether the weights were trained after the retrofit.
  let isTrained: Bool
  let threads: Int

  /// What the checks say of a folder without a manifest.
  static let withoutManifest = [
    Check(
      "integrity", .skipped, "there is no manifest.json, so nothing says which bytes were written"),
    Check(
      "source.bytes", .skipped,
      "there is no manifest.json, so nothing says which of the source's bytes were copied"),
    Check(
      "computed.bytes", .skipped,
      "there is no manifest.json, so nothing says how the other bytes were computed"),
  ]

  /// Files and tensors against the digests in the manifest.
  func integrity() throws -> Check {
    let problems = try package.integrityProblems(threads: threads)
    let count = package.manifest.files.count
    guard problems.isEmpty else {
      return Check(
        "integrity", .failed, list(problems), measures: ["problems": JSONValue(problems.count)])
    }
    return Check(
      "integrity", .passed,
      "\(count) files and \(package.manifest.tensors.count) tensors are as the manifest says; "
        + "root \(package.manifest.root)",
      measures: ["files": JSONValue(count)])
  }

  /// Copied tensors against the source's spans.
  func copied() throws -> Check {
    let name = "source.bytes"
    guard let source else {
      return Check(
        name, .skipped, "no source was given; name it with --source to compare its bytes")
    }
    guard !isTrained else { return Check(name, .skipped, trained) }
    // An adapter that was given as a file is no part of the source, whatever its file is called.
    let isGiven = model.graph.config["adapter_init"]?.string == "file"
    let foreign = Set([isGiven ? model.graph.recurrence?.adapter?.name : nil].compactMap { $0 })
    let found = try package.sourceProblems(
      source.files, leavingOut: foreign, threads: threads)
    guard found.problems.isEmpty else {
      return Check(
        name, .failed, list(found.problems),
        measures: ["problems": JSONValue(found.problems.count)])
    }
    let computed = package.manifest.tensors.count { !$0.isCopy }
    return Check(
      name, .passed,
      "\(found.tensors) copied tensors equal their source spans, \(found.byteCount) bytes; "
        + "\(computed) \(computed == 1 ? "was" : "were") computed"
        + (isGiven ? "; the adapter is another file's" : ""),
      measures: ["tensors": JSONValue(found.tensors), "bytes": JSONValue(found.byteCount)])
  }

  /// Whether the manifest says how a tensor's values came about without a source.
  func isInitialised(_ name: TensorName) -> Bool {
    !isTrained
      && package.manifest.tensors.contains {
        $0.name == name && Initialiser(operations: $0.operations) != nil
      }
  }

  /// Tensors that were initialised, cast, decoded or reordered, computed once more.
  ///
  /// - Parameter stored: Where the package's own bytes are read; a copy with a fault in a self-test.
  func computed(in stored: (any RecipeSource)? = nil) throws -> Check {
    guard !isTrained else { return Check("computed.bytes", .skipped, trained) }
    let tensors = package.manifest.tensors.filter { !$0.isCopy }
    let reader = RecipeReader(stored ?? model.source)
    let own = Dictionary(
      model.graph.parameters.map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
    let parts = try source.map { try self.parts(of: $0.model.graph) } ?? [:]
    let origin = source.map { RecipeReader($0.model.source) }
    var (wrong, count) = ([TensorName](), 0)
    for tensor in tensors {
      try Interruption.check()
      guard let found = own[tensor.name] else { continue }
      let isEqual: Bool
      if let initialiser = Initialiser(operations: tensor.operations) {
        isEqual = try TensorComparison.haveEqualBytes(
          found, from: reader, Parameter(found, initialised: initialiser), from: reader)
      } else if let origin, let part = parts[tensor.name] {
        isEqual = try TensorComparison.haveEqualBytes(found, from: reader, part, from: origin)
      } else {
        continue
      }
      count += 1
      if !isEqual { wrong.append(tensor.name) }
    }
    return verdict(wrong, compared: count, of: tensors.count)
  }

  private func verdict(_ wrong: [TensorName], compared: Int, of count: Int) -> Check {
    let name = "computed.bytes"
    let measures: JSONObject = ["tensors": JSONValue(compared), "problems": JSONValue(wrong.count)]
    guard wrong.isEmpty else {
      let shown = wrong.prefix(3).map(\.string).joined(separator: ", ")
      let more = wrong.count > 3 ? " and \(wrong.count - 3) more" : ""
      return Check(
        name, .failed, "not what the recorded operations give: \(shown)\(more)", measures: measures)
    }
    let left = count - compared
    let why = source == nil ? "no source was given" : "the source has no such tensors"
    guard compared > 0 || left == 0 else {
      return Check(name, .skipped, "\(left) tensors could not be computed again: \(why)")
    }
    return Check(
      name, .passed,
      "\(compared) of \(count) computed tensors equal what the recorded operations give"
        + (left == 0 ? "" : "; for the others \(why)"), measures: measures)
  }

  /// The source's tensors under the names, and in the types, that the package gives them.
  private func parts(of source: ModelGraph) throws -> [TensorName: Parameter] {
    let graph = model.graph
    guard let body = graph.recurrence else { return [:] }
    let fused = BlockRole.fused.filter { role in graph.blocks.contains { $0[role] != nil } }
    let selected = try source.applying([
      SelectLayers(
        LayerSelection(
          prelude: body.prelude.map(\.sourceLayer), core: body.core.map(\.sourceLayer),
          coda: body.coda.map(\.sourceLayer), of: source.blocks.count)),
      ShapeProjections(fused: fused),
    ])
    var parts: [TensorName: Parameter] = [:]
    func add(_ part: Parameter?, to own: Parameter?) {
      guard var part, let own else { return }
      if part.type != own.type { (part.type, part.recipe.type) = (own.type, own.type) }
      parts[own.name] = part
    }
    for (own, part) in zip(graph.blocks, selected.blocks) {
      for own in own.parameters { add(part[own.role], to: own.parameter) }
    }
    add(selected.embedding, to: graph.embedding)
    add(selected.finalNorm, to: graph.finalNorm)
    add(selected.head ?? selected.embedding, to: graph.head)
    return parts
  }

  private var trained: String { "the weights were trained: they are no longer the source's" }

  /// The first problems, and how many more there are.
  private func list(_ problems: [PackageError]) -> String {
    let shown = problems.prefix(3).map { "\($0)" }.joined(separator: "; ")
    return problems.count > 3 ? shown + "; and \(problems.count - 3) more" : shown
  }
}

extension Parameter {
  /// `parameter` with the start values that `initialiser` gives.
  fileprivate init(_ parameter: Parameter, initialised initialiser: Initialiser) {
    self = parameter
    recipe = Recipe(.initialised(initialiser), as: parameter.type)
  }
}
