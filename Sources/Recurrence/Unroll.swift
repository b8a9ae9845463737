import ByteIO
package import ModelGraph
import Tensors

/// Puts prelude, core (several times over) and coda in one line of plain layers, with the names that
/// Hugging Face folders of the family have. The adapter is left out: whether that is exact is for
/// the caller to know.
package struct Unroll: GraphPass, Equatable {
  package var repeats: Int

  /// - Parameter repeats: How often the core's layers stand one after another.
  package init(repeats: Int) { self.repeats = repeats }

  package var description: String { "unroll the core \(repeats) times into plain layers" }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    guard let body = graph.recurrence else { throw RecurrenceError(.notRecurrent) }
    guard !body.meetsFinalNorm else {
      throw RecurrenceError(.noName(part: "norms between passes"))
    }
    guard let naming = Naming.source(family: graph.family) else {
      throw RecurrenceError(.noName(part: graph.family))
    }
    var plain = graph
    let core = Array(repeating: body.core, count: repeats).flatMap(\.self)
    plain.body = .plain(body.prelude + core + body.coda)
    var result = try ShapeProjections(fused: naming.fused).apply(plain).mapBlocks {
      (block, group, index) throws(RecurrenceError) in
      try block.renamed(naming, group, index)
    }
    result.embedding.name = TensorName(naming.embedding)
    result.finalNorm.name = TensorName(naming.finalNorm)
    result.head?.name = TensorName(naming.head)
    return result
  }
}
