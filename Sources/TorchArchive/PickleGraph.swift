import ByteIO

/// A value of a pickle, by its place in the graph's list of nodes.
struct NodeID: Hashable, Sendable {
  var index: Int32
}

/// What a pickle describes: values that refer to each other by number, so that cycles are harmless
/// and freeing them needs no recursion.
enum PickleNode: Equatable, Sendable {
  case none
  case bool(Bool)
  case int(Int)
  /// An integer of more than 64 bits; its bytes in the pickle.
  case longInteger(ByteSpan)
  case float(Double)
  case text(ByteSpan)
  case bytes(ByteSpan)
  /// Elements in the graph's `links`.
  case tuple(ByteSpan)
  case list([NodeID])
  case set([NodeID])
  /// Keys and values in turn.
  case dictionary([NodeID])
  /// A name in the graph's `globals`.
  case global(Int32)
  /// What is outside the pickle: a storage, described by a tuple.
  case persistent(NodeID)
  /// The result of a call that was not made.
  case call(function: NodeID, arguments: NodeID)
}

/// A range with 32-bit bounds, which keeps nodes small.
struct ByteSpan: Equatable, Sendable {
  var start: UInt32
  var count: UInt32

  init(_ range: Range<Int>) {
    start = UInt32(range.lowerBound)
    count = UInt32(range.count)
  }

  var range: Range<Int> { Int(start)..<(Int(start) + Int(count)) }
}

/// One pickle, interpreted.
struct PickleGraph: Sendable {
  /// The pickle's own bytes, which texts refer to.
  let bytes: [UInt8]
  /// Position of `bytes` in the file; nil when they do not lie there as they are.
  let base: Int?
  let path: String
  var nodes: [PickleNode] = []
  /// Elements of all tuples.
  var links: [NodeID] = []
  /// Every class and function that is named, in order of first mention.
  var globals: [PickleGlobal] = []
  /// All persistent ids, in order of mention.
  var persistents: [NodeID] = []
  /// Tensors that persistent ids name directly, as before 0.1.10.
  var namedTensors: [String: (view: TensorView, storage: StorageMention)] = [:]
  var root = NodeID(index: 0)

  subscript(id: NodeID) -> PickleNode { nodes[Int(id.index)] }

  // MARK: Values

  func text(_ id: NodeID) throws(TorchError) -> String {
    guard case .text(let span) = self[id] else { throw wrongType("a string", id) }
    guard let text = String(validating: bytes[span.range], as: UTF8.self) else {
      throw error(.text, at: span.range.lowerBound)
    }
    return text
  }

  func integer(_ id: NodeID) throws(TorchError) -> Int {
    switch self[id] {
    case .int(let value): return value
    case .longInteger(let span):
      throw error(.integer(byteCount: Int(span.count)), at: span.range.lowerBound)
    default: throw wrongType("an integer", id)
    }
  }

  func elements(_ id: NodeID) throws(TorchError) -> ArraySlice<NodeID> {
    switch self[id] {
    case .tuple(let span): return links[span.range]
    case .list(let items): return items[...]
    default: throw wrongType("a tuple", id)
    }
  }

  func integers(_ id: NodeID) throws(TorchError) -> [Int] {
    var values: [Int] = []
    for element in try elements(id) { values.append(try integer(element)) }
    return values
  }

  func global(_ id: NodeID) -> PickleGlobal? {
    if case .global(let index) = self[id] { globals[Int(index)] } else { nil }
  }

  /// The value of the text key `key` of a dictionary; the last one, as Python has it.
  func value(_ key: String, in id: NodeID) -> NodeID? {
    guard case .dictionary(let items) = self[id] else { return nil }
    for i in stride(from: items.count - 2, through: 0, by: -2) {
      if case .text(let span) = self[items[i]], bytes[span.range].elementsEqual(key.utf8) {
        return items[i + 1]
      }
    }
    return nil
  }

  /// A noun phrase for messages.
  func describe(_ id: NodeID) -> String {
    switch self[id] {
    case .none: "None"
    case .bool: "a boolean"
    case .int, .longInteger: "an integer"
    case .float: "a float"
    case .text: "a string"
    case .bytes: "bytes"
    case .tuple: "a tuple"
    case .list: "a list"
    case .set: "a set"
    case .dictionary: "a dictionary"
    case .global(let index): "the name \(globals[Int(index)])"
    case .persistent: "a storage"
    case .call(let function, _):
      global(function).map { "an object made by \($0)" } ?? "an object"
    }
  }

  // MARK: Errors

  func error(_ problem: PickleProblem, at position: Int? = nil) -> TorchError {
    TorchError(
      .pickle(problem), path: path, at: base.flatMap { base in position.map { base + $0 } })
  }

  func wrongType(_ wanted: String, _ id: NodeID) -> TorchError {
    error(.type(wanted: wanted, found: describe(id)))
  }
}
