import ByteIO
import Tensors

extension TorchContents {
  /// Reads a tar archive of `sys_info`, `pickle`, `tensors` and `storages`, as PyTorch before 0.1.10
  /// wrote (PT-55 to PT-57).
  init(tar region: ByteRegion) throws(TorchError) {
    let members = try TarDirectory(region)
    func member(_ name: String) throws(TorchError) -> PickleSequence {
      guard let member = members[name] else {
        throw TorchError(.tar("there is no member \(name)"), in: region)
      }
      return PickleSequence(member, nodeLimit: Self.nodeLimit(region))
    }
    var system = try member("sys_info")
    _ = try system.pickle()
    var storages = try member("storages")
    let table = try Self.storages(&storages)
    var tensors = try member("tensors")
    let named = try Self.tensors(&tensors, table)
    var pickle = try member("pickle")
    var graph = try pickle.pickle()
    graph.namedTensors = named
    self.init(layout: .tar, graph: graph, storages: table.mapValues(\.source))
  }

  private typealias TarStorage = (mention: StorageMention, source: StorageSource)

  /// A count; for each storage a pickle of key, location and class, its element count, its bytes;
  /// then the views of storages, which nobody uses with tensors of their own.
  private static func storages(
    _ file: inout PickleSequence
  ) throws(TorchError) -> [String: TarStorage] {
    var table: [String: TarStorage] = [:]
    for _ in 0..<(try count(&file)) {
      let graph = try file.pickle()
      let parts = Array(try graph.elements(graph.root))
      guard parts.count == 3, let name = graph.global(parts[2]),
        case .storage(let type?)? = name.known
      else { throw fail("a storage is not described by key, location and class", file) }
      let key = try graph.key(parts[0])
      guard let elements = try file.number(Int64.self), elements >= 0,
        let byteCount = StorageType.element(type).byteCount(elements: Int(elements))
      else { throw fail("the storage \(key) has no valid element count", file) }
      let position = file.region.start + file.position
      guard let span = file.span(byteCount) else {
        throw fail("the storage \(key) needs \(byteCount) bytes, \(file.remaining) are left", file)
      }
      let mention = StorageMention(
        key: key, className: name.description, type: type, elementCount: Int(elements),
        byteCount: byteCount)
      let source = StorageSource(content: .plain(span), byteCount: byteCount, position: position)
      guard table.updateValue((mention, source), forKey: key) == nil else {
        throw fail("the storage \(key) is there twice", file)
      }
    }
    let views = try file.pickle()
    guard try views.elements(views.root).isEmpty else {
      throw fail("views of storages are not read", file)
    }
    return table
  }

  /// A count; for each tensor a pickle of key, storage and class, then the rank in eight bytes, and
  /// sizes, strides and offset as 64-bit integers.
  private static func tensors(
    _ file: inout PickleSequence, _ storages: [String: TarStorage]
  ) throws(TorchError) -> [String: (view: TensorView, storage: StorageMention)] {
    var table: [String: (view: TensorView, storage: StorageMention)] = [:]
    for _ in 0..<(try count(&file)) {
      let graph = try file.pickle()
      let parts = Array(try graph.elements(graph.root))
      guard parts.count == 3 else {
        throw fail("a tensor is not described by key, storage and class", file)
      }
      let key = try graph.key(parts[0])
      let storage = try graph.key(parts[1])
      guard let mention = storages[storage]?.mention, let type = mention.type else {
        throw TorchError(.tensor(.storageMissing(key: storage)), path: file.region.path)
      }
      guard let rank = try file.number(Int32.self), (try file.number(Int32.self)) != nil,
        (0...TensorView.rankLimit).contains(Int(rank))
      else { throw fail("the tensor \(key) has no valid rank", file) }
      var numbers: [Int] = []
      for _ in 0..<(2 * Int(rank) + 1) {
        guard let number = try file.number(Int64.self) else { throw fail("it ends early", file) }
        numbers.append(Int(number))
      }
      let view = TensorView(
        storage: storage, type: type, offset: numbers[2 * Int(rank)],
        sizes: Array(numbers[..<Int(rank)]),
        strides: Array(numbers[Int(rank)..<(2 * Int(rank))]))
      do throws(TensorFault) { try view.check(elements: mention.elementCount) } catch {
        throw TorchError(.tensor(error.problem), path: file.region.path)
      }
      table[key] = (view, mention)
    }
    return table
  }

  /// The pickled number of what follows; each takes some bytes, which bounds it.
  private static func count(_ file: inout PickleSequence) throws(TorchError) -> Int {
    let graph = try file.pickle()
    let count = try graph.integer(graph.root)
    guard count >= 0, count <= file.remaining else {
      throw fail("\(count) items in \(file.remaining) bytes", file)
    }
    return count
  }

  private static func fail(_ what: String, _ file: PickleSequence) -> TorchError {
    TorchError(.tar(what), in: file.region, at: file.position)
  }
}

extension PickleGraph {
  /// A key that is text or an integer, as text.
  fileprivate func key(_ id: NodeID) throws(TorchError) -> String {
    if case .int(let value) = self[id] { String(value) } else { try text(id) }
  }
}
