import ByteIO
package import ModelGraph

/// Gives the head a tensor of its own, which starts as a copy of the embedding.
package struct UntieHead: GraphPass, Equatable {
  package init() {}

  package var description: String { "untie the head from the embedding" }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    guard graph.head == nil else { return graph }
    var result = graph
    var head = graph.embedding
    head.name = "lm_head.weight"
    result.head = head
    return result
  }
}

/// Makes the head the embedding; a head of its own is dropped.
package struct TieHead: GraphPass, Equatable {
  package init() {}

  package var description: String { "tie the head to the embedding" }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    var result = graph
    result.head = nil
    return result
  }
}
