import ByteIO

/// What the three file layouts have in common once their frames are read: the pickle, and where the
/// storages lie.
struct TorchContents {
  /// Largest pickle that is read, in bytes.
  static let pickleLimit = 64 << 20
  /// The same for a compressed one, which can be far larger than the file.
  static let compressedPickleLimit = 16 << 20

  var layout: TorchFile.Layout
  var graph: PickleGraph
  var storages: [String: StorageSource]
  var isBigEndian = false
  var warnings: [Warning] = []
  var zip: ZipDirectory?

  init(_ region: ByteRegion) throws(TorchError) {
    try Self.refuseByName(region)
    let signature: FileSignature?
    do {
      signature = try FileSignature(of: region)
    } catch {
      throw TorchError(.file(error), path: region.path)
    }
    switch signature {
    case .zip: try self.init(zip: region)
    case .pickle: try self.init(legacy: region)
    case .tar: try self.init(tar: region)
    case nil where try ZipEnd.isPresent(in: region): try self.init(zip: region)
    default: throw TorchError(.notTorch(signature), in: region)
    }
    try checkPersistentIDs()
  }

  init(
    layout: TorchFile.Layout, graph: PickleGraph, storages: [String: StorageSource]
  ) {
    self.layout = layout
    self.graph = graph
    self.storages = storages
  }

  /// Values a pickle may make: half a million, or more in a large file.
  static func nodeLimit(_ region: ByteRegion) -> Int {
    max(1 << 19, min(1 << 23, region.byteCount / 64))
  }

  /// Every persistent id must be a storage's tuple, whether a tensor needs it or not.
  private func checkPersistentIDs() throws(TorchError) {
    guard layout != .tar else { return }
    for id in graph.persistents where !graph.isTagged("storage", id) {
      guard layout == .legacy, graph.isTagged("module", id) else {
        throw graph.error(.persistentID)
      }
    }
  }

  private static func refuseByName(_ region: ByteRegion) throws(TorchError) {
    let name = region.path.split(separator: "/").last ?? ""
    if name.hasSuffix(".distcp") || name == ".metadata" {
      throw TorchError(.distributedCheckpoint, in: region)
    }
    if name.hasSuffix("_optim_states.pt") {
      throw TorchError(.deepSpeed("it holds optimizer states"), in: region)
    }
  }
}
