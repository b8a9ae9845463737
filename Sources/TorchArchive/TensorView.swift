import ByteIO
import Tensors

/// A tensor as a view of a storage: offset, sizes and strides in elements.
struct TensorView: Hashable, Sendable {
  /// Most dimensions that a tensor may have; PyTorch's own limit.
  static let rankLimit = 64

  var storage: String
  var type: ElementType
  var offset: Int
  var sizes: [Int]
  var strides: [Int]

  var elementSize: Int { type.bitWidth / 8 }
  var elementCount: Int { sizes.reduce(1, &*) }
  var byteCount: Int { elementCount * elementSize }

  /// Whether the elements lie row-major and without gaps.
  var isContiguous: Bool {
    var expected = 1
    for (size, stride) in zip(sizes, strides).reversed() where size != 1 {
      if size == 0 { return true }
      if stride != expected { return false }
      expected *= size
    }
    return true
  }

  /// Checks everything that does not depend on the file (PT-44) and that the view lies within
  /// a storage of `elements` elements (PT-45).
  func check(elements: Int) throws(TensorFault) {
    guard sizes.count == strides.count else {
      throw TensorFault(.rank(sizes: sizes.count, strides: strides.count))
    }
    guard sizes.count <= Self.rankLimit else {
      throw TensorFault(.rankTooLarge(sizes.count, limit: Self.rankLimit))
    }
    if let size = sizes.first(where: { $0 < 0 }) { throw TensorFault(.negative("size", size)) }
    if let stride = strides.first(where: { $0 < 0 }) {
      throw TensorFault(.negative("stride", stride))
    }
    guard let count = Tensors.elementCount(of: sizes),
      StorageType.element(type).byteCount(elements: count) != nil
    else { throw TensorFault(.overflow) }
    guard offset >= 0, offset <= elements else {
      throw TensorFault(.viewOffset(offset, elements: elements))
    }
    if count == 0 { return }
    var last = offset
    for (size, stride) in zip(sizes, strides) {
      let (reach, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
      let (sum, carry) = last.addingReportingOverflow(reach)
      guard !overflow, !carry else { throw TensorFault(.overflow) }
      last = sum
    }
    guard last < elements else { throw TensorFault(.viewPastEnd(last: last, elements: elements)) }
  }
}

/// A tensor's broken rule, before it is known which tensor it is.
struct TensorFault: Error {
  var problem: TensorProblem

  init(_ problem: TensorProblem) { self.problem = problem }
}

extension PickleGraph {
  /// Whether the value is a tensor, of a kind that is read or of one that is not.
  func isTensor(_ id: NodeID) -> Bool {
    if namedTensor(id) != nil { return true }
    guard case .call(let function, _) = self[id], let name = global(function) else { return false }
    switch name.known {
    case .rebuild, .parameter: return true
    case nil:
      return name.name.hasPrefix("_rebuild_") && name.module.hasPrefix("torch")
    default: return false
    }
  }

  private func namedTensor(_ id: NodeID) -> (view: TensorView, storage: StorageMention)? {
    guard !namedTensors.isEmpty, case .persistent(let key) = self[id] else { return nil }
    return (try? text(key)).flatMap { namedTensors[$0] }
  }

  /// The view and the storage of a tensor.
  func tensor(_ id: NodeID) throws(TorchError) -> (view: TensorView, storage: StorageMention) {
    var id = id
    // Wrappers are few; a chain of them is no tensor.
    for _ in 0..<4 {
      if let tensor = namedTensor(id) { return tensor }
      guard case .call(let function, let arguments) = self[id], let name = global(function) else {
        throw wrongType("a tensor", id)
      }
      let parts = Array(try elements(arguments))
      switch name.known {
      case .rebuild(.strided): return try strided(parts)
      case .rebuild(.typed): return try typed(parts)
      case .rebuild(.wrapped), .parameter:
        guard let inner = parts.first else { throw wrongType("a tensor's arguments", arguments) }
        id = inner
      case .rebuild(.fromType): return try fromType(parts, arguments)
      default: throw TorchError(.tensor(.kind(name.description)), path: path)
      }
    }
    throw error(.tooDeep(limit: 4))
  }

  private func strided(
    _ parts: [NodeID]
  ) throws(TorchError) -> (view: TensorView, storage: StorageMention) {
    guard parts.count >= 4 else { throw error(.type(wanted: "a tensor", found: "too little")) }
    let storage = try self.storageOfTensor(parts[0])
    guard let type = storage.type else {
      throw TorchError(.tensor(.storageType(storage.className)), path: path)
    }
    if parts.count > 6 { try checkMetadata(parts[6]) }
    return (try view(parts, storage, type), storage)
  }

  private func typed(
    _ parts: [NodeID]
  ) throws(TorchError) -> (view: TensorView, storage: StorageMention) {
    guard parts.count >= 7 else { throw error(.type(wanted: "a tensor", found: "too little")) }
    guard let name = global(parts[6]) else { throw wrongType("an element type", parts[6]) }
    guard case .type(let type)? = name.known else {
      throw TorchError(.tensor(.storageType(name.description)), path: path)
    }
    if parts.count > 7 { try checkMetadata(parts[7]) }
    let storage = try self.storageOfTensor(parts[0])
    return (try view(parts, storage, type), storage)
  }

  /// `(function, type, arguments, state)`; the state is Python's, and of no consequence.
  private func fromType(
    _ parts: [NodeID], _ id: NodeID
  ) throws(TorchError) -> (view: TensorView, storage: StorageMention) {
    guard parts.count == 4, let function = global(parts[0]), let type = global(parts[1]) else {
      throw wrongType("a tensor's arguments", id)
    }
    guard type.known == .tensorClass || type.known == .parameter else {
      throw TorchError(.tensor(.kind(type.description)), path: path)
    }
    let inner = Array(try elements(parts[2]))
    switch function.known {
    case .rebuild(.strided): return try strided(inner)
    case .rebuild(.typed): return try typed(inner)
    default: throw TorchError(.tensor(.kind(function.description)), path: path)
    }
  }

  private func storageOfTensor(_ id: NodeID) throws(TorchError) -> StorageMention {
    guard case .persistent(let tuple) = self[id] else { throw wrongType("a storage", id) }
    return try storage(tuple)
  }

  private func view(
    _ parts: [NodeID], _ storage: StorageMention, _ type: ElementType
  ) throws(TorchError) -> TensorView {
    var offset = try integer(parts[1])
    var elements =
      storage.type == nil ? storage.byteCount / (type.bitWidth / 8) : storage.elementCount
    if let view = storage.view {
      let (end, overflow) = view.offset.addingReportingOverflow(view.elementCount)
      guard view.offset >= 0, view.elementCount >= 0, !overflow, end <= elements else {
        throw TorchError(
          .tensor(.viewOffset(view.offset, elements: elements)), path: path)
      }
      guard offset >= 0, offset <= view.elementCount else {
        throw TorchError(.tensor(.viewOffset(offset, elements: view.elementCount)), path: path)
      }
      offset += view.offset
      elements = end
    }
    let view = TensorView(
      storage: storage.key, type: type, offset: offset, sizes: try integers(parts[2]),
      strides: try integers(parts[3]))
    do throws(TensorFault) { try view.check(elements: elements) } catch {
      throw TorchError(.tensor(error.problem), path: path)
    }
    return view
  }

  /// The conjugate and negative bits change the values; they are stored without them.
  private func checkMetadata(_ id: NodeID) throws(TorchError) {
    for key in ["conj", "neg"] {
      if let value = value(key, in: id), case .bool(true) = self[value] {
        throw TorchError(
          .tensor(.lazyBit(key == "conj" ? "conjugation" : "negation")), path: path)
      }
    }
  }
}
