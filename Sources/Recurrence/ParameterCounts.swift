package import ModelGraph

/// Numbers of elements by part of a model.
package struct ParameterCounts: Equatable, Sendable {
  package var embedding: Int
  /// Zero when the head is the embedding.
  package var head: Int
  package var finalNorm: Int
  /// All layers of a source model; zero for a retrofit.
  package var layers = 0
  package var prelude = 0
  package var core = 0
  package var coda = 0
  package var adapter = 0
  package var coreNorm = 0
  package var exitGate = 0

  /// - Parameter isActive: Counts of a block's experts as many as a token goes through.
  package init(_ graph: ModelGraph, isActive: Bool = false) {
    func count(_ blocks: [Block]) -> Int {
      blocks.reduce(0) { $0 + (isActive ? $1.activeCount : $1.elementCount) }
    }
    embedding = graph.embedding.elementCount
    head = graph.head?.elementCount ?? 0
    finalNorm = graph.finalNorm.elementCount
    switch graph.body {
    case .plain(let blocks): layers = count(blocks)
    case .recurrent(let body):
      prelude = count(body.prelude)
      core = count(body.core)
      coda = count(body.coda)
      adapter = body.injection.parameters.values.reduce(0) { $0 + $1.elementCount }
      coreNorm = body.coreNorm?.elementCount ?? 0
      exitGate = body.exitGate.reduce(0) { $0 + $1.elementCount }
    }
  }

  package var blocks: Int { layers + prelude + core + coda }

  package var total: Int {
    embedding + head + finalNorm + blocks + adapter + coreNorm + exitGate
  }

  /// The paper's effective parameters: blocks, the core counted once for every recurrence.
  package func effective(recurrences: Int) -> Int { layers + prelude + core * recurrences + coda }
}

extension Block {
  fileprivate var elementCount: Int {
    parameters.reduce(0) { $0 + $1.parameter.elementCount }
  }

  /// Parameters that a token meets.
  fileprivate var activeCount: Int {
    guard let experts = spec.mlp.experts, experts.count > 0 else { return elementCount }
    let all = parameters.filter { $0.role.isOfExperts }
      .reduce(0) { $0 + $1.parameter.elementCount }
    return elementCount - all + all / experts.count * experts.chosen
  }
}
