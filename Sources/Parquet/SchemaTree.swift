/// The schema as the tree that its flattened elements stand for; rule PQ-5.
struct SchemaTree {
  static let depthLimit = 32
  static let leafLimit = 1 << 14

  /// An element with all below it.
  struct Node {
    var element: SchemaElement
    /// Definition level of a value that is there.
    var definition: Int
    /// Repetition level of a value that continues the list that this node repeats in.
    var repetition: Int
    var children: [Node]
    /// The leaves below, or this one.
    var leaves: Range<Int>

    var isRepeated: Bool { element.repetition == 2 }
    var isLeaf: Bool { children.isEmpty }
  }

  private(set) var columns: [Node] = []
  private(set) var leaves: [Leaf] = []

  private let elements: [SchemaElement]
  private var next = 1

  init(_ elements: [SchemaElement]) throws(ParquetProblem) {
    self.elements = elements
    guard let root = elements.first, root.childCount > 0 else { throw .schemaEmpty }
    columns = try children(of: root, Place())
    guard next == elements.count else { throw .schemaExtra(count: elements.count - next) }
  }

  /// What lies above an element.
  private struct Place {
    var path: [String] = []
    var definition = 0
    var repetition = 0
  }

  private mutating func children(
    of element: SchemaElement, _ place: Place
  ) throws(ParquetProblem) -> [Node] {
    let left = elements.count - next
    guard element.childCount <= left else {
      throw .schemaChildren(name: element.name, count: element.childCount, left: left)
    }
    var nodes: [Node] = []
    var names: Set<[UInt8]> = []
    for _ in 0..<element.childCount {
      let node = try node(below: place)
      guard names.insert(Array(node.element.name.utf8)).inserted else {
        throw .duplicateColumn((place.path + [node.element.name]).joined(separator: "."))
      }
      nodes.append(node)
    }
    return nodes
  }

  private mutating func node(below above: Place) throws(ParquetProblem) -> Node {
    guard next < elements.count else {
      throw .schemaChildren(name: above.path.last ?? "", count: 1, left: 0)
    }
    let element = elements[next]
    next += 1
    var place = above
    place.path.append(element.name)
    guard place.path.count <= Self.depthLimit else { throw .schemaDepth(limit: Self.depthLimit) }
    guard let repetition = element.repetition, (0...2).contains(repetition) else {
      throw .repetition(name: element.name, element.repetition ?? -1)
    }
    if repetition > 0 { place.definition += 1 }
    if repetition == 2 { place.repetition += 1 }
    let first = leaves.count
    var below: [Node] = []
    if element.childCount > 0 {
      below = try children(of: element, place)
    } else {
      guard leaves.count < Self.leafLimit else { throw .tooManyColumns(limit: Self.leafLimit) }
      leaves.append(
        try Leaf(
          element, path: place.path.joined(separator: "."), definition: place.definition,
          repetition: place.repetition))
    }
    return Node(
      element: element, definition: place.definition, repetition: place.repetition,
      children: below, leaves: first..<leaves.count)
  }
}
