import ByteIO

extension TorchContents {
  private static let recordLimit = 4096

  /// Reads a zip archive as `torch.save` writes it (PT-1 to PT-14).
  init(zip region: ByteRegion) throws(TorchError) {
    let directory = try ZipDirectory(region)
    let root = try Self.root(of: directory, region)
    func record(_ name: String) throws(TorchError) -> String? {
      guard let entry = directory[root + name] else { return nil }
      let bytes = try entry.contents(in: region, limit: Self.recordLimit)
      return String(decoding: bytes, as: UTF8.self)
    }
    if directory[root + "constants.pkl"] != nil
      || directory.entries.contains(where: { $0.name.hasPrefix(root + "code/") })
    {
      throw TorchError(.torchScript, in: region)
    }
    guard let pickle = directory[root + "data.pkl"] else { throw TorchError(.noPickle, in: region) }
    var warnings = directory.warnings
    if let version = try record("version") {
      let text = version.trimmed
      guard let number = Int(text), (1...10).contains(number) else {
        throw TorchError(.version(text), in: region)
      }
    } else {
      warnings.append(Warning("pt.no_version", "the archive has no version", file: region.path))
    }
    let order = try record("byteorder") ?? "little"
    guard order == "little" || order == "big" else {
      throw TorchError(.byteOrder(order), in: region)
    }
    for name in [".format_version", ".storage_alignment"] { _ = try record(name) }
    let unchecked = directory.entries.count { $0.checksum == 0 && $0.byteCount > 0 }
    if unchecked > 0 {
      warnings.append(
        Warning(
          "zip.no_crc", "\(unchecked) entries have no CRC-32: damage to them cannot be detected",
          file: region.path))
    }
    let graph = try Self.pickle(pickle, region)
    self.init(
      layout: .zip, graph: graph, storages: Self.storages(of: directory, root + "data/", region))
    isBigEndian = order == "big"
    self.warnings = warnings
    self.zip = directory
  }

  /// The one folder that holds everything, with its slash.
  private static func root(
    of directory: ZipDirectory, _ region: ByteRegion
  ) throws(TorchError) -> String {
    let names = directory.entries.map(\.name)
    if !names.isEmpty, names.allSatisfy({ $0.hasSuffix(".npy") }) {
      throw TorchError(.numpyArchive, in: region)
    }
    guard let first = names.first else { throw TorchError(.noPickle, in: region) }
    let root = first.prefix { $0 != "/" } + "/"
    for name in names where !name.utf8.starts(with: root.utf8) {
      throw TorchError(.roots(first, name), in: region)
    }
    return String(root)
  }

  private static func pickle(
    _ entry: ZipEntry, _ region: ByteRegion
  ) throws(TorchError) -> PickleGraph {
    let isStored = entry.method == .stored
    let limit = isStored ? pickleLimit : compressedPickleLimit
    let base = isStored ? region.start + entry.dataOffset : nil
    guard entry.byteCount <= limit else {
      throw TorchError(
        .pickle(.tooLarge(byteCount: entry.byteCount, limit: limit)), path: region.path, at: base)
    }
    let bytes = try entry.contents(in: region, limit: limit)
    let (graph, count) = try PickleMachine.run(
      bytes, base: base, path: region.path, nodeLimit: nodeLimit(region))
    guard count == bytes.count else {
      throw graph.error(.trailingBytes(bytes.count - count), at: count)
    }
    return graph
  }

  private static func storages(
    of directory: ZipDirectory, _ folder: String, _ region: ByteRegion
  ) -> [String: StorageSource] {
    var storages: [String: StorageSource] = [:]
    for entry in directory.entries where entry.name.utf8.starts(with: folder.utf8) {
      let content: StorageSource.Content? =
        switch entry.method {
        case .stored: region.subregion(entry.range).map { .plain($0) }
        case .deflated: .deflated(entry)
        }
      let key = String(decoding: entry.name.utf8.dropFirst(folder.utf8.count), as: UTF8.self)
      storages[key] = content.map {
        StorageSource(content: $0, byteCount: entry.byteCount, position: entry.dataOffset)
      }
    }
    return storages
  }
}

extension String {
  /// Without white space at either end.
  fileprivate var trimmed: String {
    let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\n" || $0 == "\r\n" || $0 == "\t" }
    let start = drop(while: isSpace)
    return String(start.reversed().drop(while: isSpace).reversed())
  }
}
