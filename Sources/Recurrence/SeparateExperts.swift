package import ModelGraph

/// Makes each expert's matrices tensors of their own, where those of all experts are one.
package struct SeparateExperts: GraphPass, Equatable {
  package init() {}

  package var description: String { "one tensor for each matrix of an expert" }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    try graph.mapBlocks { (block, _, _) throws(RecurrenceError) in
      let packed = block.parameters.filter(\.role.facts.isPacked)
      if packed.isEmpty { return block }
      var block = block
      block.parameters.removeAll(where: \.role.facts.isPacked)
      for item in packed {
        block.parameters += try Self.separated(item.parameter, into: item.role.parts)
      }
      block.sortByRole()
      return block
    }
  }

  /// `whole`, `[E, R, C]`, as an `[R / n, C]` for each expert and each of n `roles`.
  private static func separated(
    _ whole: Parameter, into roles: [BlockRole]
  ) throws(RecurrenceError) -> [Block.RoleParameter] {
    guard let matrices = whole.separated(into: roles.count) else {
      throw RecurrenceError(.cannotSplit(whole.name))
    }
    return matrices.enumerated().map { place, matrix in
      let (expert, part) = place.quotientAndRemainder(dividingBy: roles.count)
      return .init(roles[part], expert: expert, matrix)
    }
  }
}
