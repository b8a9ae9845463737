import ByteIO
package import ModelGraph
import Tensors

/// Names and configuration fields of a written package.
package enum Dialect: String, CaseIterable, Sendable {
  /// Those of the published retrofits: fused projections, `huginn_raven`.
  case raven
  /// The source family's own names under `prelude.`, `core.` and `coda.`.
  case native
}

/// Gives every tensor its name in a dialect, fusing or splitting projections as it has them.
package struct Rename: GraphPass, Equatable {
  package var dialect: Dialect

  package init(to dialect: Dialect) { self.dialect = dialect }

  package var description: String { "rename to the \(dialect.rawValue) dialect" }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    guard graph.recurrence != nil else { throw RecurrenceError(.notRecurrent) }
    let naming = dialect == .raven ? Naming.raven : Naming.native(family: graph.family)
    guard let naming else { throw RecurrenceError(.noName(part: graph.family)) }
    var result = try ShapeProjections(fused: naming.fused).apply(graph).mapBlocks {
      (block, group, index) throws(RecurrenceError) in
      try block.renamed(naming, group, index)
    }
    result.embedding.name = TensorName(naming.embedding)
    result.finalNorm.name = TensorName(naming.finalNorm)
    result.head?.name = TensorName(naming.head)
    return try result.changingRecurrence {
      for role in $0.injection.kind.roles {
        $0.injection.parameters[role]?.name = TensorName(naming.name(role))
      }
      $0.coreNorm?.name = TensorName(naming.coreNorm)
    }
  }
}

extension Block {
  /// The block with the names that its tensors have as block `index` of `group`.
  func renamed(
    _ naming: Naming, _ group: BlockGroup, _ index: Int
  ) throws(RecurrenceError) -> Block {
    var block = self
    let isPacked = hasPackedExperts
    for i in block.parameters.indices {
      let (role, expert) = (block.parameters[i].role, block.parameters[i].expert)
      let name = naming.name(role, spec, group, index, expert: expert, isPacked: isPacked)
      guard let name else {
        throw RecurrenceError(.noName(part: role.rawValue))
      }
      block.parameters[i].parameter.name = TensorName(name)
    }
    return block
  }
}
