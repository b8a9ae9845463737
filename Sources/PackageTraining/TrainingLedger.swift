import ModelGraph
import Recurrence
import Training
import Transformer

extension FLOPLedger {
  /// The ledger of what `training` trains.
  package init(_ training: NetworkTraining) {
    let graph = training.network.graph
    // A token's products are with the experts that it chose.
    let counts = ParameterCounts(graph, isActive: true)
    let body = graph.recurrence
    self.init(
      prelude: counts.layers + counts.prelude, core: counts.core, coda: counts.coda,
      adapter: counts.adapter, head: graph.embedding.elementCount,
      attention: 2 * graph.sizes.queryWidth,
      preludeBlocks: body?.prelude.count ?? graph.blocks.count,
      coreBlocks: body?.core.count ?? 0, codaBlocks: body?.coda.count ?? 0)
    trained = Trained(training.network)
    supervision = training.network.supervision
    if let model = training.teacher?.model {
      let (counts, graph) = (ParameterCounts(model.graph, isActive: true), model.graph)
      let passes = graph.recurrence?.meanRecurrence ?? 0
      let blocks =
        (graph.recurrence.map { $0.prelude.count + $0.coda.count } ?? graph.blocks.count)
        + passes * (graph.recurrence?.core.count ?? 0)
      teacher.parameters =
        counts.effective(recurrences: passes) + passes * counts.adapter
        + graph.embedding.elementCount
      teacher.attention = blocks * 2 * graph.sizes.queryWidth
    }
  }
}

extension FLOPLedger.Trained {
  /// nil when everything is trained.
  fileprivate init?(_ model: TrainableModel) {
    if model.tensors.allSatisfy(\.isTrained) { return nil }
    self.init()
    let body = model.graph.recurrence
    let core = (body?.prelude.count ?? model.graph.blocks.count)
    let coda = core + (body?.core.count ?? 0)
    func side(_ block: Int) -> WritableKeyPath<Self, Side> {
      block < core ? \.prelude : block < coda ? \.core : \.coda
    }
    // A token's products are with the experts that it chose.
    var ofExperts: [Int: Int] = [:]
    var factorsOfExperts: [Int: Int] = [:]
    for tensor in model.tensors where tensor.isTrained {
      switch tensor.role {
      case .block(let block, let role) where role.isOfExperts:
        ofExperts[block, default: 0] += tensor.count
      case .block(let block, _): self[keyPath: side(block)].whole += tensor.count
      case .injection: adapter += tensor.count
      case .head: head += tensor.count
      case .embedding: if model.graph.head == nil { head += tensor.count }
      case .coreNorm, .finalNorm, .exitGate: break
      }
    }
    for (block, count) in ofExperts {
      guard let experts = model.graph.blocks[block].spec.mlp.experts else { continue }
      self[keyPath: side(block)].whole += count / experts.count * experts.chosen
    }
    for factor in model.factors {
      let (rows, columns) = (factor.rows.count, factor.columns)
      let count = factor.rank * (rows + columns)
      merging += factor.rank * rows * columns
      if factor.expert == nil {
        self[keyPath: side(factor.block)].factors += count
      } else {
        factorsOfExperts[factor.block, default: 0] += count
      }
    }
    for (block, count) in factorsOfExperts {
      guard let experts = model.graph.blocks[block].spec.mlp.experts else { continue }
      self[keyPath: side(block)].factors += count / experts.count * experts.chosen
    }
    reachesPrelude = model.isPreludeTrained
  }
}
