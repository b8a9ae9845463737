import Columns

/// Puts the leaves' values together as columns of lists and structures; rule PQ-20.
///
/// Levels are those of Dremel (Melnik et al., VLDB 2010). In every list that is being looked at, a value
/// of a leaf begins a place when its repetition level is not above the list's, and is not there when
/// its definition level is below that of the list's elements.
struct RecordAssembler {
  /// Leaf number to its values.
  let parts: [Int: LeafReader.Part]
  let leaves: [Leaf]

  /// The column of `node` for `rows` rows.
  func column(_ node: SchemaNode, rows: Int) throws(ParquetProblem) -> Column {
    let column = try column(node, in: SchemaNode.Levels(definition: 0, repetition: 0))
    guard column.count == rows else { throw .rowCount(column.count, stated: rows) }
    return column
  }

  /// - Parameter list: The innermost list around the node.
  private func column(
    _ node: SchemaNode, in list: SchemaNode.Levels
  ) throws(ParquetProblem) -> Column {
    switch node.content {
    case .leaf: return leafColumn(node, in: list)
    case .structure(let nodes):
      let isThere = marks(node, in: list)
      var columns: [Column] = []
      for node in nodes { columns.append(try column(node, in: list)) }
      for column in columns where column.count != isThere.count {
        throw .unequalParts(isThere.count, column.count)
      }
      return Column(
        count: isThere.count, isThere: node.field.isOptional ? isThere : nil, .structure(columns))
    case .list(let levels, let element):
      let (offsets, isThere) = lists(node, levels, in: list)
      let elements = try column(element, in: levels)
      return Column(
        count: isThere.count, isThere: node.field.isOptional ? isThere : nil,
        .list(offsets: try matched(offsets, [elements.count]), elements))
    case .map(let levels, let key, let value):
      let (offsets, isThere) = lists(node, levels, in: list)
      let (keys, values) = (try column(key, in: levels), try column(value, in: levels))
      return Column(
        count: isThere.count, isThere: node.field.isOptional ? isThere : nil,
        .map(
          offsets: try matched(offsets, [keys.count, values.count]), keys: keys, values: values))
    }
  }

  private func matched(_ offsets: [Int], _ counts: [Int]) throws(ParquetProblem) -> [Int] {
    for count in counts where offsets.last != count {
      throw .unequalParts(offsets.last ?? 0, count)
    }
    return offsets
  }

  /// The values of the first leaf below a node: they say where the node's own places are.
  private func part(of node: SchemaNode) -> LeafReader.Part {
    guard let part = parts[node.leaves.lowerBound] else {
      preconditionFailure("a leaf of every column was read")
    }
    return part
  }

  private func leafColumn(_ node: SchemaNode, in list: SchemaNode.Levels) -> Column {
    let part = part(of: node)
    guard let definitions = part.definitions else {
      return Column(count: part.count, .primitive(part.values))
    }
    let maximum = UInt8(leaves[node.leaves.lowerBound].maximumDefinition)
    let place = UInt8(list.definition)
    var isThere: [Bool] = []
    isThere.reserveCapacity(part.count)
    for level in definitions where level >= place { isThere.append(level == maximum) }
    if !isThere.contains(false) { return Column(count: isThere.count, .primitive(part.values)) }
    return Column(count: isThere.count, isThere: isThere, .primitive(part.values.spread(isThere)))
  }

  /// For each place in `list`, whether the node's value is there.
  private func marks(_ node: SchemaNode, in list: SchemaNode.Levels) -> [Bool] {
    let part = part(of: node)
    var isThere: [Bool] = []
    for i in 0..<part.count where Int(part.repetitions?[i] ?? 0) <= list.repetition {
      let level = part.definitions.map { Int($0[i]) } ?? node.definition
      if level >= list.definition { isThere.append(level >= node.definition) }
    }
    return isThere
  }

  /// For each place in `list`, whether the node's list is there, and where its elements are.
  private func lists(
    _ node: SchemaNode, _ levels: SchemaNode.Levels, in list: SchemaNode.Levels
  ) -> (offsets: [Int], isThere: [Bool]) {
    let part = part(of: node)
    var (offsets, isThere, elements) = ([Int](), [Bool](), 0)
    for i in 0..<part.count {
      let repetition = Int(part.repetitions?[i] ?? 0)
      let level = part.definitions.map { Int($0[i]) } ?? levels.definition
      if repetition <= list.repetition, level >= list.definition {
        offsets.append(elements)
        isThere.append(level >= node.definition)
      }
      if repetition <= levels.repetition, level >= levels.definition { elements += 1 }
    }
    return (offsets + [elements], isThere)
  }
}
