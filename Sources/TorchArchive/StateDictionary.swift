import ByteIO
import Tensors

/// The named tensors of a pickle: which dictionary holds the weights, and by what names (PT-30 to
/// PT-33).
struct StateDictionary {
  /// Keys under which training programs keep the weights, in order of preference.
  static let weightKeys = [
    "state_dict", "model_state_dict", "model", "module", "model_state", "weights", "params", "net",
    "network",
  ]
  static let depthLimit = 64
  static let stepLimit = 1 << 20

  private(set) var tensors: [(name: TensorName, node: NodeID)] = []
  private(set) var warnings: [Warning] = []
  private let graph: PickleGraph
  /// Values that are no tensors: how many, and the names of the first.
  private var ignored: (count: Int, names: [String]) = (0, [])

  init(_ graph: PickleGraph) throws(TorchError) {
    self.graph = graph
    let found = try findWeights()
    try flatten(found.node, skippingOptimizers: found.path.isEmpty)
    if !found.path.isEmpty {
      note("pt.nested", "the weights are those under \(found.path.joined(separator: "."))")
    }
    guard !tensors.isEmpty else {
      throw TorchError(.archive(.noTensors(graph.describe(graph.root))), path: graph.path)
    }
    if ignored.count > 0 {
      let names = ignored.names.joined(separator: ", ") + (ignored.count > 4 ? ", …" : "")
      let what =
        ignored.count == 1
        ? "1 value that is not a tensor is" : "\(ignored.count) values that are not tensors are"
      note("pt.ignored", "\(what) left out: \(names)")
    }
    stripPrefixes()
    try checkNames()
  }

  private mutating func note(_ code: String, _ message: String) {
    warnings.append(Warning(code, message, file: graph.path))
  }

  // MARK: Search

  /// Follows the known keys down, as long as there are tensors below.
  private func findWeights() throws(TorchError) -> (node: NodeID, path: [String]) {
    var node = graph.root
    var path: [String] = []
    for _ in 0..<4 {
      var next: (key: String, node: NodeID)?
      for key in Self.weightKeys {
        if let value = graph.value(key, in: node), try holdsTensors(value) {
          next = (key, value)
          break
        }
      }
      guard let next else { break }
      path.append(next.key)
      node = next.node
    }
    return (node, path)
  }

  /// Whether a dictionary has a tensor, or a dictionary with one, at most eight levels down.
  private func holdsTensors(_ id: NodeID) throws(TorchError) -> Bool {
    var level = [id]
    var steps = 0
    for _ in 0..<8 {
      var below: [NodeID] = []
      for node in level {
        guard case .dictionary(let items) = graph[node] else { continue }
        for i in stride(from: 1, to: items.count, by: 2) {
          steps += 1
          guard steps < Self.stepLimit else { throw tooMany }
          if graph.isTensor(items[i]) { return true }
          if case .dictionary = graph[items[i]] { below.append(items[i]) }
        }
      }
      level = below
    }
    return false
  }

  // MARK: Names

  /// A container half walked through.
  private struct Level {
    var node: NodeID
    var prefix: String
    var children: [(name: String, node: NodeID)]
    var next = 0
  }

  /// Collects the tensors below `root`; keys are joined by dots, places in lists are decimal.
  private mutating func flatten(
    _ root: NodeID, skippingOptimizers: Bool
  ) throws(TorchError) {
    if graph.isTensor(root) {
      note("pt.unnamed", "the file is one tensor without a name; it is called tensor")
      return tensors.append(("tensor", root))
    }
    var open: Set<NodeID> = [root]
    var levels = [Level(node: root, prefix: "", children: try children(root))]
    var steps = 0
    while let level = levels.last {
      guard level.next < level.children.count else {
        open.remove(level.node)
        levels.removeLast()
        continue
      }
      steps += 1
      guard steps < Self.stepLimit else { throw tooMany }
      levels[levels.count - 1].next += 1
      let (key, node) = level.children[level.next]
      let name = level.prefix + key
      if graph.isTensor(node) {
        tensors.append((TensorName(name), node))
        continue
      }
      let below = try children(node)
      let isOptimizer = skippingOptimizers && levels.count == 1 && key.hasPrefix("optim")
      guard !below.isEmpty, !isOptimizer else {
        ignore(name)
        continue
      }
      guard open.insert(node).inserted else { throw graph.error(.cycle) }
      guard levels.count < Self.depthLimit else {
        throw graph.error(.tooDeep(limit: Self.depthLimit))
      }
      levels.append(Level(node: node, prefix: name + ".", children: below))
    }
  }

  private var tooMany: TorchError { graph.error(.tooManyValues(limit: Self.stepLimit)) }

  private mutating func ignore(_ name: String) {
    ignored.count += 1
    if ignored.names.count < 4 { ignored.names.append(name) }
  }

  /// The named values in a container; none for anything else.
  private func children(_ id: NodeID) throws(TorchError) -> [(name: String, node: NodeID)] {
    switch graph[id] {
    case .dictionary(let items):
      var children: [(name: String, node: NodeID)] = []
      for i in stride(from: 0, to: items.count - 1, by: 2) {
        if let name = try key(items[i]) { children.append((name, items[i + 1])) }
      }
      return children
    case .list(let items):
      return items.enumerated().map { (String($0.offset), $0.element) }
    case .tuple(let span):
      return graph.links[span.range].enumerated().map { (String($0.offset), $0.element) }
    default: return []
    }
  }

  /// The text of a key that is text or an integer; keys of other types name nothing.
  private func key(_ id: NodeID) throws(TorchError) -> String? {
    switch graph[id] {
    case .text: try graph.text(id)
    case .int(let value): String(value)
    default: nil
    }
  }

  private mutating func stripPrefixes() {
    var stripped: [String] = []
    while stripped.count < 4,
      let prefix = WrapperNames.prefixes.first(where: { prefix in
        tensors.allSatisfy {
          $0.name.string.utf8.count > prefix.utf8.count
            && $0.name.string.utf8.starts(with: prefix.utf8)
        }
      })
    {
      tensors = tensors.map { tensor in
        let rest = tensor.name.string.utf8.dropFirst(prefix.utf8.count)
        return (TensorName(String(decoding: rest, as: UTF8.self)), tensor.node)
      }
      stripped.append(prefix)
    }
    if !stripped.isEmpty {
      note("pt.prefix", "all names began with \(stripped.joined()), which is removed")
    }
  }

  private func checkNames() throws(TorchError) {
    var seen: Set<TensorName> = []
    for tensor in tensors where !seen.insert(tensor.name).inserted {
      throw TorchError(.tensor(.nameTwice), path: graph.path, tensor: tensor.name)
    }
  }
}
