import ByteIO
import Tensors

extension TorchContents {
  /// 0x1950a86a20f9469cfc6c, little-endian.
  private static let magic: [UInt8] = [
    0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19,
  ]
  private static let protocolVersion = 1001

  /// Reads five pickles (magic, protocol, system, object, storage keys) and the storages after them,
  /// as PyTorch 0.1.10 to 1.5 wrote (PT-50 to PT-53).
  ///
  /// The storages' bytes are little-endian whatever machine wrote them: the writer swaps them.
  init(legacy region: ByteRegion) throws(TorchError) {
    var file = PickleSequence(region, nodeLimit: Self.nodeLimit(region))
    try Self.checkMagic(try file.pickle(), region)
    let version = try file.pickle()
    guard case .int(Self.protocolVersion) = version[version.root] else {
      let found = try version.integer(version.root)
      throw TorchError(.legacyProtocol(found), in: region)
    }
    let system = try file.pickle()
    guard case .dictionary = system[system.root] else {
      throw system.wrongType("a dictionary about the system", system.root)
    }
    let graph = try file.pickle()
    let storages = try Self.storages(graph, keys: try file.pickle(), &file)
    self.init(layout: .legacy, graph: graph, storages: storages)
    if file.remaining > 0 {
      warnings.append(
        Warning(
          "pt.trailing", "\(file.remaining) bytes follow the last storage", file: region.path,
          offset: region.start + file.position))
    }
  }

  private static func checkMagic(
    _ first: PickleGraph, _ region: ByteRegion
  ) throws(TorchError) {
    switch first[first.root] {
    case .longInteger(let span) where first.bytes[span.range].elementsEqual(magic): return
    case .longInteger, .int: throw TorchError(.legacyMagic, in: region, at: 0)
    default:
      let isNumPy = first.globals.contains { $0.module.hasPrefix("numpy") }
      let holds = isNumPy ? "NumPy arrays" : first.describe(first.root)
      throw TorchError(.barePickle(holds), in: region)
    }
  }

  /// The storages lie in the order of the keys, each after its element count.
  private static func storages(
    _ graph: PickleGraph, keys: PickleGraph, _ file: inout PickleSequence
  ) throws(TorchError) -> [String: StorageSource] {
    let region = file.region
    var mentions: [String: StorageMention] = [:]
    for id in graph.persistents where graph.isTagged("storage", id) {
      let mention = try graph.storage(id)
      mentions[mention.key] = mentions[mention.key] ?? mention
    }
    func fail(_ what: String) -> TorchError {
      TorchError(.legacyStorages(what), in: region, at: file.position)
    }
    var sources: [String: StorageSource] = [:]
    for element in try keys.elements(keys.root) {
      let key = try keys.text(element)
      guard let mention = mentions[key] else { throw fail("no tensor mentions \"\(key)\"") }
      guard let count = try file.number(Int64.self) else {
        throw fail("the file ends before the storage \"\(key)\"")
      }
      guard count == Int64(mention.elementCount) else {
        throw fail("\"\(key)\" has \(count) elements, \(mention.elementCount) are mentioned")
      }
      let position = file.position
      guard let span = file.span(mention.byteCount) else {
        throw fail(
          "the storage \"\(key)\" needs \(mention.byteCount) bytes, \(file.remaining) are left")
      }
      let source = StorageSource(
        content: .plain(span), byteCount: mention.byteCount, position: position)
      guard sources.updateValue(source, forKey: key) == nil else {
        throw fail("the key \"\(key)\" is listed twice")
      }
    }
    guard sources.count == mentions.count else {
      throw fail("\(sources.count) are listed, \(mentions.count) are mentioned")
    }
    return sources
  }
}
