package import ByteIO
import Checkpoint
import Synchronization
package import Tensors
import WeightWriting

extension RecurrentPackage {
  /// Compares every file with the manifest (RP-5, RP-6) and the table of tensors with the weight
  /// files (RP-8); an empty list says that the package is what was written.
  ///
  /// - Parameter progress: Called with the bytes read so far and the bytes there are.
  package func integrityProblems(
    threads: Int = 2, progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
  ) throws -> [PackageError] {
    try integrityProblems(WriteProgress(total: byteCount, report: progress), threads: threads)
  }

  /// The same, counting the bytes that are read on `count`.
  func integrityProblems(_ count: WriteProgress, threads: Int = 2) throws -> [PackageError] {
    let regions = Dictionary(
      files.map { (ExactString($0.name), $0.region) }, uniquingKeysWith: { first, _ in first })
    let listed = Set(manifest.files.map { ExactString($0.path) })
    var problems = files.filter {
      !Manifest.unlisted.contains($0.name) && !listed.contains(ExactString($0.name))
    }.map { PackageError(.unlistedFile, path: $0.region.path) }
    var readable: [(file: Manifest.File, region: ByteRegion)] = []
    for file in manifest.files {
      guard let region = regions[ExactString(file.path)] else {
        problems.append(PackageError(.missingFile, path: path + "/" + file.path))
        continue
      }
      guard region.byteCount == file.byteCount else {
        problems.append(
          PackageError(
            .wrongSize(found: region.byteCount, wanted: file.byteCount), path: region.path))
        continue
      }
      readable.append((file, region))
    }
    let wrong = Mutex<[PackageError]>([])
    let checked = readable
    try inParallel(checked.count, threads: threads) { i in
      let (file, region) = checked[i]
      let found = try region.digest(count.advance)
      guard found != file.digest else { return }
      let damaged = try damagedTensors(of: file.path, region)
      wrong.withLock {
        $0.append(
          PackageError(.wrongDigest(found: found, wanted: file.digest), path: region.path))
        $0 += damaged
      }
    }
    problems += wrong.withLock { $0 }.sorted {
      ($0.path ?? "", $0.tensor ?? "") < ($1.path ?? "", $1.tensor ?? "")
    }
    return problems + tableProblems()
  }

  /// The tensors of a damaged file whose own digests are wrong.
  private func damagedTensors(of file: String, _ region: ByteRegion) throws -> [PackageError] {
    var damaged: [PackageError] = []
    for tensor in manifest.tensors where tensor.file == file {
      let (end, overflow) = tensor.offset.addingReportingOverflow(tensor.byteCount)
      guard !overflow, tensor.offset >= 0, tensor.byteCount >= 0,
        let part = region.subregion(tensor.offset..<max(tensor.offset, end))
      else { continue }
      if try part.digest() != tensor.digest {
        damaged.append(
          PackageError(
            .wrongTensorDigest, path: region.path, at: tensor.offset, tensor: tensor.name.string))
      }
    }
    return damaged
  }

  /// RP-8: every tensor of the weight files is in the manifest, where and what it says.
  private func tableProblems() -> [PackageError] {
    var problems: [PackageError] = []
    func add(_ reason: String, _ name: TensorName) {
      problems.append(PackageError(.wrongTensorTable(reason), path: path, tensor: name.string))
    }
    let listed = Set(manifest.tensors.map(\.name))
    for record in checkpoint.tensors where !listed.contains(record.name) {
      add("in a weight file, but not in the manifest", record.name)
    }
    for tensor in manifest.tensors {
      guard let record = checkpoint.record(tensor.name) else {
        add("in the manifest, but in no weight file", tensor.name)
        continue
      }
      let start = checkpoint.region(tensor.name).map { region in
        region.start - (files.first { $0.name == tensor.file }?.region.start ?? 0)
      }
      if record.type != .element(tensor.type) || record.shape != tensor.shape
        || record.byteCount != tensor.byteCount || start != tensor.offset
        || baseName(record.file) != baseName(tensor.file)
      {
        add("not where, or not what, the manifest says", tensor.name)
      }
    }
    return problems
  }

  /// Compares each copied tensor with the spans of `source` it was copied from (RP-9).
  ///
  /// - Parameters:
  ///   - source: The files that the manifest's source files were, by base name.
  ///   - foreign: Tensors that came from other files, which are left out.
  /// - Returns: What differs, and how many tensors and bytes were compared.
  package func sourceProblems(
    _ source: [ByteRegion], leavingOut foreign: Set<TensorName> = [], threads: Int = 2
  ) throws -> (problems: [PackageError], tensors: Int, byteCount: Int) {
    let regions = Dictionary(
      source.map { (baseName($0.path), $0) }, uniquingKeysWith: { first, _ in first })
    let copies = manifest.tensors.filter { $0.isCopy && !foreign.contains($0.name) }
    let wrong = Mutex<[PackageError]>([])
    try inParallel(copies.count, threads: threads) { i in
      let tensor = copies[i]
      guard let reason = try difference(tensor, regions) else { return }
      wrong.withLock {
        $0.append(
          PackageError(
            .differsFromSource(reason), path: path, at: tensor.offset, tensor: tensor.name.string))
      }
    }
    return (
      wrong.withLock { $0 }.sorted { ($0.tensor ?? "") < ($1.tensor ?? "") }, copies.count,
      copies.reduce(0) { $0 + $1.byteCount }
    )
  }

  /// Why the source's spans are not this tensor's bytes; nil when they are.
  private func difference(
    _ tensor: Manifest.Tensor, _ regions: [String: ByteRegion]
  ) throws -> String? {
    var hash = SHA256()
    for part in tensor.parts {
      guard let region = regions[part.file] else { return "the source has no file \(part.file)" }
      guard let offset = part.offset, offset >= 0, part.byteCount >= 0,
        part.byteCount <= region.byteCount, offset <= region.byteCount - part.byteCount,
        let span = region.subregion(offset..<offset + part.byteCount)
      else { return "\(part.file) has no bytes at the recorded place of \(part.tensor)" }
      try span.feed(&hash)
    }
    guard hash.finish() == tensor.digest else {
      return "the bytes of \(tensor.parts.map(\.tensor.string).joined(separator: ", ")) differ"
    }
    guard let own = checkpoint.region(tensor.name) else { return "the package has no such tensor" }
    return try own.digest() == tensor.digest ? nil : "the package's own bytes differ"
  }
}
