package import ModelGraph

/// One step of a rewrite: a pure function from graph to graph that can be printed.
package protocol GraphPass: Sendable, CustomStringConvertible {
  func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph
}

extension ModelGraph {
  /// The graph after `passes`, one after another.
  package func applying(_ passes: [any GraphPass]) throws(RecurrenceError) -> ModelGraph {
    var graph = self
    for pass in passes { graph = try pass.apply(graph) }
    return graph
  }

  /// Replaces each block by what `change` makes of it.
  func mapBlocks(
    _ change: (Block, BlockGroup, Int) throws(RecurrenceError) -> Block
  ) throws(RecurrenceError) -> ModelGraph {
    func map(_ blocks: [Block], _ group: BlockGroup) throws(RecurrenceError) -> [Block] {
      var mapped: [Block] = []
      for (i, block) in blocks.enumerated() { mapped.append(try change(block, group, i)) }
      return mapped
    }
    var graph = self
    switch body {
    case .plain(let blocks): graph.body = .plain(try map(blocks, .layers))
    case .recurrent(var body):
      body.prelude = try map(body.prelude, .prelude)
      body.core = try map(body.core, .core)
      body.coda = try map(body.coda, .coda)
      graph.body = .recurrent(body)
    }
    return graph
  }

  /// Replaces every parameter by what `change` makes of it.
  func mapParameters(_ change: (Parameter) -> Parameter) throws(RecurrenceError) -> ModelGraph {
    var graph = try mapBlocks { block, _, _ in
      var block = block
      for i in block.parameters.indices {
        block.parameters[i].parameter = change(block.parameters[i].parameter)
      }
      return block
    }
    graph.embedding = change(embedding)
    graph.finalNorm = change(finalNorm)
    graph.head = head.map(change)
    if case .recurrent(var body) = graph.body {
      body.injection.parameters = body.injection.parameters.mapValues(change)
      body.coreNorm = body.coreNorm.map(change)
      body.exitGate = body.exitGate.map(change)
      graph.body = .recurrent(body)
    }
    return graph
  }
}
