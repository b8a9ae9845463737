package import ModelGraph
import Tensors

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
    guard whole.shape.count == 3, case .rows(let sources) = whole.recipe.content,
      let source = sources.first, sources.count == 1, source.order == .stored,
      source.rows == 0..<whole.shape[0], whole.shape[1] % roles.count == 0
    else { throw RecurrenceError(.cannotSplit(whole.name)) }
    let (count, height) = (whole.shape[0], whole.shape[1] / roles.count)
    return (0..<count * roles.count).map { place in
      let (expert, part) = place.quotientAndRemainder(dividingBy: roles.count)
      var parameter = whole
      parameter.shape = [height, whole.shape[2]]
      parameter.recipe.content = .rows([
        RowSource(tensor: source.tensor, rows: place * height..<(place + 1) * height)
      ])
      return .init(roles[part], expert: expert, parameter)
    }
  }
}
