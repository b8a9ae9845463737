import ByteIO
import JSON
import ModelGraph
import Recurrence
import Safetensors
import Synchronization
package import Tensors

/// What was written.
package struct WrittenPackage: Sendable {
  package var manifest: Manifest
  /// Bytes of all files.
  package var byteCount: Int
}

/// Writes a package folder, whole or not at all, in memory that does not grow with the model.
package struct PackageWriter: Sendable {
  private let contents: PackageContents
  private let source: any RecipeSource
  private let options: WriteOptions
  private let shards: ShardPlan
  /// The files that are written from memory or copied, sorted.
  private let small: [PackageContents.SideFile]

  /// Lays out the weight files; nothing is read or written yet.
  package init(
    _ contents: PackageContents, source: any RecipeSource, options: WriteOptions = WriteOptions()
  ) throws {
    self.contents = contents
    self.source = source
    self.options = options
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
  /// - Throws: `FileError` when the disk is full, a source changed meanwhile, or a signal came; then
  ///   what was at `destination` is still there, untouched.
  package func write(to destination: String) throws -> WrittenPackage {
    // The manifest is a kilobyte or so for each tensor.
    let needed = byteCount + 4096 * (contents.parameters.count + 16)
    let staged = try StagedOutput(
      at: destination, isFolder: true, force: options.force, inputs: inputPaths, needed: needed)
    var files: [Manifest.File] = []
    for file in small { files.append(try writeSmall(file, to: staged)) }
    let progress = WriteProgress(
      total: 2 * shards.shards.reduce(0) { $0 + $1.layout.byteCount }
        + contents.sources.reduce(0) { $0 + $1.byteCount }, report: options.progress)
    var tensors: [Manifest.Tensor] = []
    var sources: [Manifest.File] = []
    for (i, shard) in shards.shards.enumerated() {
      let last = i == shards.shards.count - 1
      let written = try write(shard, to: staged, hashing: last ? contents.sources : [], progress)
      files.append(written.file)
      tensors += written.tensors
      sources += written.sources
    }
    for region in contents.sources { try region.requireUnchanged() }
    let manifest = Manifest(
      files: files, tensors: tensors, sources: sources, record: contents.record)
    var output = try OutputFile(creating: staged.path(Manifest.name))
    try output.write(Array(manifest.text.utf8))
    let own = try output.finish()
    try staged.publish()
    return WrittenPackage(
      manifest: manifest, byteCount: files.reduce(own.byteCount) { $0 + $1.byteCount })
  }

  /// The source's files and every folder that they are in: replacing one of those would remove them.
  private var inputPaths: [String] {
    var paths: Set<String> = []
    for region in contents.sources {
      guard case .file(let file) = region.storage, var path = resolvedPath(file.path) else {
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

  private struct WrittenShard {
    var file: Manifest.File
    var tensors: [Manifest.Tensor]
    var sources: [Manifest.File]
  }

  /// Writes one weight file, then hashes it and the files in `sources` beside each other.
  private func write(
    _ shard: ShardPlan.Shard, to staged: StagedOutput, hashing sources: [ByteRegion],
    _ progress: WriteProgress
  ) throws -> WrittenShard {
    let layout = shard.layout
    let output = try PositionedOutput(
      creating: staged.path(shard.name), byteCount: layout.byteCount)
    try output.write(layout.header.rawSpan, at: 0)
    let digests = try writeTensors(layout, output, progress)
    let hashes = Mutex<[Int: Digest]>([:])
    try inParallel(1 + sources.count, threads: options.threads) { i in
      let digest =
        i == 0
        ? try output.digest(progress.advance) : try sources[i - 1].digest(progress.advance)
      hashes.withLock { $0[i] = digest }
    }
    try output.finish()
    let found = hashes.withLock { $0 }
    func file(_ i: Int, _ path: String, _ count: Int) -> Manifest.File {
      Manifest.File(path: path, byteCount: count, digest: found[i] ?? Digest(bytes: []))
    }
    return WrittenShard(
      file: file(0, shard.name, layout.byteCount),
      tensors: try zip(layout.entries, digests).map { entry, digest in
        try provenance(entry, digest, in: shard.name)
      },
      sources: sources.enumerated().map { i, region in
        file(i + 1, baseName(region.path), region.byteCount)
      })
  }

  private func writeTensors(
    _ layout: SafetensorsLayout, _ output: PositionedOutput, _ progress: WriteProgress
  ) throws -> [Digest] {
    let parameters = Dictionary(
      contents.parameters.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let writer = TensorWriter(
      reader: RecipeReader(source), output: output, allowOverflow: options.allowOverflow,
      advance: progress.advance)
    let digests = Mutex<[Int: Digest]>([:])
    try inParallel(layout.entries.count, threads: options.threads) { i in
      let entry = layout.entries[i]
      guard let parameter = parameters[entry.tensor.name] else { return }
      let digest = try writer.write(parameter, to: entry.range)
      digests.withLock { $0[i] = digest }
    }
    let found = digests.withLock { $0 }
    return layout.entries.indices.map { found[$0] ?? Digest(bytes: []) }
  }

  private func provenance(
    _ entry: SafetensorsLayout.Entry, _ digest: Digest, in file: String
  ) throws -> Manifest.Tensor {
    let recipe = contents.parameters.first { $0.name == entry.tensor.name }?.recipe
    let parts = (recipe?.sources ?? []).compactMap { part -> Manifest.Part? in
      source.record(part.tensor).map { Manifest.Part(part, $0) }
    }
    let stored = recipe?.sources.first.flatMap { source.record($0.tensor)?.type }
    return Manifest.Tensor(
      name: entry.tensor.name, file: file, offset: entry.range.lowerBound,
      byteCount: entry.range.count, type: entry.tensor.type, shape: entry.tensor.shape,
      digest: digest, operations: recipe?.operations(stored: stored) ?? [], parts: parts)
  }
}
