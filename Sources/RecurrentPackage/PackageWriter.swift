package import ByteIO
import JSON
import ModelGraph
import Recurrence
import Safetensors
package import Tensors
import WeightWriting

/// What was written.
package struct WrittenPackage: Sendable {
  package var manifest: Manifest
  /// Bytes of all files.
  package var byteCount: Int
  /// Tensors with values that are NaN or infinite, in the order of the files.
  package var nonFinite: [TensorName]

  /// What a user should know of the weights.
  package var warnings: [Warning] {
    guard let first = nonFinite.first else { return [] }
    let others = nonFinite.count == 1 ? "holds" : "and \(nonFinite.count - 1) more tensors hold"
    return [
      Warning(
        "package.non_finite",
        "\(first) \(others) NaN or infinite values: a model with such values is not run")
    ]
  }
}

/// Writes a package folder, whole or not at all, in memory that does not grow with the model.
package struct PackageWriter: Sendable {
  private let contents: PackageContents
  private let source: any RecipeSource
  private let options: WriteOptions
  private let shards: ShardPlan
  private let parameters: [TensorName: Parameter]
  /// The files that are written from memory or copied, sorted.
  private let small: [PackageContents.SideFile]

  /// Lays out the weight files; nothing is read or written yet.
  package init(
    _ contents: PackageContents, source: any RecipeSource, options: WriteOptions = WriteOptions()
  ) throws {
    self.contents = contents
    self.source = source
    self.options = options
    parameters = Dictionary(
      contents.parameters.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let tensors = contents.parameters.map {
      SafetensorsLayout.Tensor(name: $0.name, type: $0.type, shape: $0.shape)
    }
    shards = try ShardPlan(tensors, limit: options.shardLimit, metadata: contents.metadata)
    var small = contents.sideFiles
    let config = JSONValue.object(contents.config.sorted).text(indent: 2) + "\n"
    small.append(.init(name: "config.json", text: config))
    if let index = shards.index { small.append(.init(name: index.name, text: index.text)) }
    try PackagePath.check(
      small.map(\.name) + shards.shards.map(\.name) + Manifest.unlisted, in: "package")
    self.small = small.sorted { ExactString($0.name) < ExactString($1.name) }
  }

  /// Bytes of all files but the manifest.
  package var byteCount: Int {
    small.reduce(shards.shards.reduce(0) { $0 + $1.layout.byteCount }) { $0 + $1.region.byteCount }
  }

  /// Writes the package to the folder `destination`.
  ///
  /// - Parameter progress: Called with the bytes of work done and those there are, from any thread.
  /// - Throws: `FileError` when the disk is full, a source changed meanwhile, or a signal came; then
  ///   what was at `destination` is still there, untouched.
  package func write(
    to destination: String, progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
  ) throws -> WrittenPackage {
    // The manifest is a kilobyte or so for each tensor.
    let needed = byteCount + 4096 * (contents.parameters.count + 16)
    let staged = try StagedOutput(
      at: destination, isFolder: true, force: options.force, inputs: inputPaths(), needed: needed)
    var files: [Manifest.File] = []
    for file in small { files.append(try writeSmall(file, to: staged)) }
    let schedule = WriteSchedule(
      sources: contents.sources,
      outputBytes: shards.shards.reduce(0) { $0 + $1.layout.byteCount - $1.layout.header.count },
      report: progress)
    var tensors: [Manifest.Tensor] = []
    var nonFinite: [TensorName] = []
    for (i, shard) in shards.shards.enumerated() {
      let isLast = i == shards.shards.count - 1
      let written = try write(shard, to: staged, schedule, isLast: isLast)
      files.append(written.file)
      tensors += written.tensors
      nonFinite += written.nonFinite
    }
    let sources = try schedule.finishedSources().map {
      Manifest.File(
        path: baseName($0.region.path), byteCount: $0.region.byteCount, digest: $0.digest)
    }
    let manifest = Manifest(
      files: files, tensors: tensors, sources: sources, record: contents.record)
    var output = try OutputFile(creating: staged.path(Manifest.name))
    try output.write(Array(manifest.text.utf8))
    let own = try output.finish()
    try staged.publish()
    return WrittenPackage(
      manifest: manifest, byteCount: files.reduce(own.byteCount) { $0 + $1.byteCount },
      nonFinite: nonFinite)
  }

  /// The source's files and every folder that they are in: replacing one of those would remove them.
  private func inputPaths() throws(FileError) -> [String] {
    var paths: Set<String> = []
    for region in contents.sources {
      guard case .file(let file) = region.storage, var path = try resolvedPath(file.path) else {
        continue
      }
      while let slash = path.lastIndex(of: "/"), paths.insert(path).inserted {
        path = String(path[..<slash])
      }
    }
    return paths.sorted()
  }

  private func writeSmall(
    _ file: PackageContents.SideFile, to staged: StagedOutput
  ) throws -> Manifest.File {
    var output = try OutputFile(creating: staged.path(file.name))
    try output.copy(file.region)
    let written = try output.finish()
    return Manifest.File(path: file.name, byteCount: written.byteCount, digest: written.digest)
  }

  /// Writes one weight file; what its digests leave of the threads goes to the sources'.
  private func write(
    _ shard: ShardPlan.Shard, to staged: StagedOutput, _ schedule: WriteSchedule, isLast: Bool
  ) throws -> (file: Manifest.File, tensors: [Manifest.Tensor], nonFinite: [TensorName]) {
    let layout = shard.layout
    let recipes = layout.entries.map { entry in
      guard let parameter = parameters[entry.tensor.name] else {
        preconditionFailure("the layout was made of these parameters")
      }
      return parameter
    }
    let writer = try WeightFileWriter(
      layout, recipes, reader: RecipeReader(source), at: staged.path(shard.name),
      allowOverflow: options.allowOverflow)
    try schedule.run(writer, isLast: isLast, threads: options.threads)
    let digests = try writer.finish()
    return (
      Manifest.File(path: shard.name, byteCount: layout.byteCount, digest: digests.file),
      zip(zip(layout.entries, recipes), digests.tensors).map {
        provenance($0.0, $0.1.recipe, $1, in: shard.name)
      },
      zip(recipes, digests.nonFinite).filter(\.1).map(\.0.name)
    )
  }

  private func provenance(
    _ entry: SafetensorsLayout.Entry, _ recipe: Recipe, _ digest: Digest, in file: String
  ) -> Manifest.Tensor {
    let parts = recipe.sources.compactMap { part in
      source.record(part.tensor).map { Manifest.Part(part, $0, shape: entry.tensor.shape) }
    }
    return Manifest.Tensor(
      name: entry.tensor.name, file: file, offset: entry.range.lowerBound,
      byteCount: entry.range.count, type: entry.tensor.type, shape: entry.tensor.shape,
      digest: digest, operations: recipe.operations(on: source), parts: parts)
  }
}
