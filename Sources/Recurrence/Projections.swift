package import ModelGraph
import Tensors

/// Roles that stand for several, with those that they stand for, by rows in this order.
private let fusions = BlockRole.allCases.filter(\.facts.isFused).map { ($0, $0.parts) }

/// Makes query, key, value and gate, up one tensor each, by putting their rows one after another.
package struct FuseProjections: GraphPass, Equatable {
  package var roles: Set<BlockRole>

  /// - Parameter roles: The roles to be made of their parts.
  package init(_ roles: Set<BlockRole> = BlockRole.fused) { self.roles = roles }

  package var description: String { "fuse query, key, value and gate, up" }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    try graph.mapBlocks { (block, _, _) throws(RecurrenceError) in
      var block = block
      for (fused, roles) in fusions where self.roles.contains(fused) {
        let parts = roles.compactMap { block[$0] }
        guard parts.count == roles.count else { continue }
        block.parameters.removeAll { roles.contains($0.role) }
        block.parameters.append(.init(fused, try Self.fuse(parts)))
      }
      block.sortByRole()
      return block
    }
  }

  private static func fuse(_ parts: [Parameter]) throws(RecurrenceError) -> Parameter {
    var fused = parts[0]
    var rows: [RowSource] = []
    fused.shape[0] = 0
    for part in parts {
      guard case .rows(let sources) = part.recipe.content else {
        throw RecurrenceError(.cannotSplit(part.name))
      }
      rows += sources
      fused.shape[0] += part.shape[0]
    }
    // One tensor has one type: parts of several are widened to float32.
    if parts.contains(where: { $0.type != fused.type || $0.recipe.type != fused.recipe.type }) {
      fused.type = .f32
      fused.recipe.type = .f32
    }
    fused.recipe.content = .rows(rows)
    return fused
  }
}

/// Fuses the projections that a dialect has as one tensor, and takes the others apart.
package struct ShapeProjections: GraphPass, Equatable {
  package var fused: Set<BlockRole>

  package init(fused: Set<BlockRole>) { self.fused = fused }

  package var description: String {
    fused.isEmpty ? "split all projections" : "fuse \(fused.map(\.rawValue).sorted())"
  }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    try SplitProjections(BlockRole.fused.subtracting(fused)).apply(
      try FuseProjections(fused).apply(graph))
  }
}

/// Takes fused projections apart again.
package struct SplitProjections: GraphPass, Equatable {
  package var roles: Set<BlockRole>

  /// - Parameter roles: The fused roles to be taken apart.
  package init(_ roles: Set<BlockRole> = BlockRole.fused) { self.roles = roles }

  package var description: String { "split query, key, value and gate, up" }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    try graph.mapBlocks { (block, _, _) throws(RecurrenceError) in
      var block = block
      for (fused, roles) in fusions where self.roles.contains(fused) {
        guard let whole = block[fused] else { continue }
        block.parameters.removeAll { $0.role == fused }
        var start = 0
        for role in roles {
          let count = block.spec.shape(of: role, graph.sizes)[0]
          block.parameters.append(.init(role, try Self.slice(whole, start..<(start + count))))
          start += count
        }
      }
      block.sortByRole()
      return block
    }
  }

  private static func slice(
    _ whole: Parameter, _ rows: Range<Int>
  ) throws(RecurrenceError) -> Parameter {
    guard case .rows(let sources) = whole.recipe.content else {
      throw RecurrenceError(.cannotSplit(whole.name))
    }
    var part = whole
    part.shape[0] = rows.count
    var pieces: [RowSource] = []
    var start = 0
    for source in sources {
      let wanted = rows.clamped(to: start..<(start + source.rows.count))
      let first = source.rows.lowerBound - start
      start += source.rows.count
      if wanted.isEmpty { continue }
      var piece = source
      piece.rows = wanted.lowerBound + first..<wanted.upperBound + first
      pieces.append(piece)
    }
    part.recipe.content = .rows(pieces)
    return part
  }
}

extension Block {
  mutating func sortByRole() {
    let order = BlockRole.allCases
    parameters = order.flatMap { role in parameters.filter { $0.role == role } }
  }
}
