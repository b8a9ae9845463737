package import ModelGraph
import Tensors

/// A tensor of the network in the one layout it has in memory: query, key and value are fused by
/// rows, and so are gate and up, whatever the source's naming.
package struct Field: Sendable {
  /// The part a field plays; fused roles stand for their parts.
  package enum Role: Hashable, Sendable {
    case embedding
    case block(Int, BlockRole)
    case injection(InjectionRole)
    case coreNorm
    /// A tensor that no pass reads, and that goes along.
    case exitGate(Int)
    case finalNorm
    case head
  }

  package let role: Role
  /// Parameters whose rows, one after another, are the field.
  package let parts: [Parameter]
  /// Vectors have one row.
  package let rows: Int
  package let columns: Int

  package var count: Int { rows * columns }

  private init(_ role: Role, _ parts: [Parameter]) {
    self.role = role
    self.parts = parts
    let isVector = parts[0].isVector
    // Packed experts are their matrices' rows, one expert's after another's.
    let height = parts.reduce(0) { $0 + $1.rowCount }
    rows = isVector ? 1 : height
    columns = isVector ? height : parts[0].shape[parts[0].shape.count - 1]
  }

  /// The fields of a graph in the order of execution, the head last.
  package static func all(of graph: ModelGraph) -> [Field] {
    var fields = [Field(.embedding, [graph.embedding])]
    for (index, block) in graph.blocks.enumerated() {
      for role in BlockRole.canonical {
        let parts = block.pieces(of: role)
        if !parts.isEmpty { fields.append(Field(.block(index, role), parts)) }
      }
    }
    for (role, parameter) in graph.recurrence?.injection.ordered ?? [] {
      fields.append(Field(.injection(role), [parameter]))
    }
    if let norm = graph.recurrence?.coreNorm { fields.append(Field(.coreNorm, [norm])) }
    for (index, parameter) in (graph.recurrence?.exitGate ?? []).enumerated() {
      fields.append(Field(.exitGate(index), [parameter]))
    }
    fields.append(Field(.finalNorm, [graph.finalNorm]))
    if let head = graph.head { fields.append(Field(.head, [head])) }
    return fields
  }
}

extension Parameter {
  /// A vector has one axis, or is stored as a bias of heads, `[2, 1, heads, headSize]`.
  var isVector: Bool { shape.count == 1 || shape.count == 4 }

  /// Rows of the field that it is a part of; a vector's values.
  var rowCount: Int { isVector ? elementCount : shape.dropLast().reduce(1, &*) }
}
