package import ModelGraph
package import Tensors

/// Casts every tensor to one type.
package struct Cast: GraphPass, Equatable {
  package var type: ElementType

  package init(to type: ElementType) { self.type = type }

  package var description: String { "cast to \(type)" }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    try graph.mapParameters { parameter in
      guard parameter.type != type else { return parameter }
      var result = parameter
      result.type = type
      result.recipe.type = type
      return result
    }
  }
}
