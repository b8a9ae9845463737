package import ModelGraph

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
        guard let whole = Parameter.joined(parts) else {
          throw RecurrenceError(.cannotSplit(parts[0].name))
        }
        block.parameters.append(.init(fused, whole))
      }
      block.sortByRole()
      return block
    }
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
          guard let part = whole.rows(start..<(start + count)) else {
            throw RecurrenceError(.cannotSplit(whole.name))
          }
          block.parameters.append(.init(role, part))
          start += count
        }
      }
      block.sortByRole()
      return block
    }
  }
}

extension Block {
  mutating func sortByRole() {
    let order = BlockRole.allCases
    parameters = order.flatMap { role in parameters.filter { $0.role == role } }
  }
}
