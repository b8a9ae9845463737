import Columns

/// A column, or a part of one, as a reader of records sees it; rule PQ-6.
///
/// What is a list or a map in meaning takes two or three elements in the schema.
struct SchemaNode: Sendable {
  indirect enum Content: Sendable {
    case leaf
    case structure([SchemaNode])
    case list(Levels, SchemaNode)
    case map(Levels, key: SchemaNode, value: SchemaNode)
  }

  /// Of the elements of a list.
  struct Levels: Sendable {
    /// Definition level from which on there is an element.
    var definition: Int
    /// Repetition level of every element but the first.
    var repetition: Int
  }

  var field: Field
  /// Definition level from which on the value is there.
  var definition: Int
  var content: Content
  var leaves: Range<Int>

  /// - Parameter all: The file's leaves.
  init(_ node: SchemaTree.Node, _ all: [Leaf]) {
    let value = SchemaNode(value: node, all)
    guard node.isRepeated else {
      self = value
      return
    }
    // A repeated element outside of a LIST: a list that is never missing.
    field = Field(node.element.name, isOptional: false, .list(value.field))
    definition = node.definition - 1
    content = .list(Levels(node), value)
    leaves = node.leaves
  }

  /// The node without regard to whether it repeats.
  private init(value node: SchemaTree.Node, _ all: [Leaf]) {
    definition = node.definition
    leaves = node.leaves
    let type: FieldType
    if node.isLeaf {
      content = .leaf
      type = .primitive(all[node.leaves.lowerBound].type)
    } else if let (key, value) = node.mapParts {
      let (key, value) = (SchemaNode(key, all), SchemaNode(value, all))
      content = .map(Levels(node.children[0]), key: key, value: value)
      type = .map(key: key.field, value: value.field)
    } else if let item = node.listItem {
      let element = item.isRepeated ? SchemaNode(value: item, all) : SchemaNode(item, all)
      content = .list(Levels(node.children[0]), element)
      type = .list(element.field)
    } else {
      let parts = node.children.map { SchemaNode($0, all) }
      content = .structure(parts)
      type = .structure(parts.map(\.field))
    }
    field = Field(node.element.name, isOptional: node.element.repetition == 1, type)
  }
}

extension SchemaNode.Levels {
  init(_ repeated: SchemaTree.Node) {
    definition = repeated.definition
    repetition = repeated.repetition
  }
}

extension SchemaTree.Node {
  /// What an element of this list is; nil when this is no list. Old writers leave the middle level out.
  fileprivate var listItem: Self? {
    guard
      element.logicalType == .list || (element.logicalType == nil && element.convertedType == 3),
      children.count == 1, children[0].isRepeated
    else { return nil }
    let middle = children[0]
    let name = middle.element.name
    if middle.children.count != 1 || name == "array" || name == element.name + "_tuple" {
      return middle
    }
    return middle.children[0].isRepeated ? nil : middle.children[0]
  }

  fileprivate var mapParts: (key: Self, value: Self)? {
    let isMap =
      element.logicalType == .map
      || (element.logicalType == nil && (element.convertedType == 1 || element.convertedType == 2))
    guard isMap, children.count == 1, children[0].isRepeated, children[0].children.count == 2 else {
      return nil
    }
    return (children[0].children[0], children[0].children[1])
  }
}
