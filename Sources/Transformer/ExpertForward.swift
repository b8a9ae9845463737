import Kernels
import ModelGraph
import Tensors

/// The MLP half of a block with experts. Rows are grouped by expert, so that each expert's matrices
/// are read once, and only those that some row chose; sums over a row's experts are in the order of
/// their weights, whatever the number of threads.
extension BlockContext {
  /// From `kept.middle` to `y`.
  func feed(
    _ block: BlockWeights, _ experts: ExpertWeights, _ y: Matrix, keeping kept: Activations,
    _ work: Workspace
  ) {
    guard let room = work.experts, let own = kept.experts else { missingRoom() }
    let source = preNormed(work.normed, kept.middle, block.mlpNorm)
    let routing = expand(block, experts, source, keeping: kept, work)
    let activated = room.activated(experts.spec)
    gated(activated, own.gateUp(experts.spec), by: block.activation, on: compute)
    let results = room.rows(experts.spec, hidden: network.sizes.hidden)
    for expert in routing.inUse {
      let rows = routing.rows(of: expert)
      linear(
        results.rows(rows), activated.rows(rows), experts.rows(of: expert, in: block.down),
        on: compute)
    }
    let factors = experts.factors(own.probabilities(experts.spec), routing)
    join(block, y, kept.middle, (block.mlpOutputNorm, block.mlpSumNorm), kept.fed, work) {
      combineRows($0, results, routing, factors: factors, adding: $1, on: compute)
    }
  }

  /// Fills what the experts keep of `source`, the MLP's input.
  func expand(
    _ block: BlockWeights, _ experts: ExpertWeights, _ source: Matrix, keeping kept: Activations,
    _ work: Workspace
  ) -> Routing {
    guard let room = work.experts, let own = kept.experts else { missingRoom() }
    let probabilities = own.probabilities(experts.spec)
    linear(probabilities, source, experts.router, on: compute)
    softmaxRows(probabilities)
    let routing = Routing(probabilities, chosen: experts.spec.chosen)
    let gathered = room.rows(experts.spec, hidden: network.sizes.hidden)
    gatherRows(gathered, source, rows: routing.rows, on: compute)
    let gateUp = own.gateUp(experts.spec)
    for expert in routing.inUse {
      let rows = routing.rows(of: expert)
      linear(
        gateUp.rows(rows), gathered.rows(rows), experts.rows(of: expert, in: block.gateUp),
        on: compute)
    }
    return routing
  }

  // MARK: Backward

  /// Gradient of `feed`: `d` becomes that of `kept.middle`.
  func feedBackward(
    _ block: BlockGradient, _ experts: ExpertWeights, _ d: Matrix, kept: Activations,
    _ work: Workspace, _ backward: BackwardWorkspace, _ balance: [Float]
  ) {
    guard let room = work.experts, let own = kept.experts, let gradientRoom = backward.experts
    else {
      missingRoom()
    }
    let (weights, gradients, spec) = (block.weights, block.gradients, experts.spec)
    let probabilities = own.probabilities(spec)
    let routing = Routing(probabilities, chosen: spec.chosen)
    let factors = experts.factors(probabilities, routing)
    let (gateUp, activated) = (own.gateUp(spec), room.activated(spec))
    let dRows = gradientRoom.dRows(spec, hidden: network.sizes.hidden)
    let dActivated = gradientRoom.dActivated(spec)

    let dBranch = branchGradient(
      weights, d, kept.fed, weights.mlpOutputNorm,
      block.norm(.mlpOutputNorm, gradients.mlpOutputNorm), backward)
    gatherRows(dRows, dBranch, rows: routing.rows, on: compute)
    gated(activated, gateUp, by: weights.activation, on: compute)
    multiplyByExperts(dActivated, dRows, weights.down, experts, routing)
    let dFactors = rowProducts(dActivated, activated, routing)
    scaleRows(dActivated, routing, by: factors, on: compute)
    scaleRows(activated, routing, by: factors, on: compute)
    block.add(.expertsDown, gradients.down, dRows, activated, experts, routing, on: compute)
    gatedBackward(gateUp, activated, dActivated, gateUp, by: weights.activation, on: compute)

    let source = preNormed(work.normed, kept.middle, weights.mlpNorm)
    let gathered = room.rows(spec, hidden: network.sizes.hidden)
    gatherRows(gathered, source, rows: routing.rows, on: compute)
    block.add(.expertsGateUp, gradients.gateUp, gateUp, gathered, experts, routing, on: compute)
    multiplyByExperts(dRows, gateUp, weights.gateUp, experts, routing)
    let dLogits = gradientRoom.dLogits(spec)
    experts.backward(
      dLogits, probabilities, routing, factors: factors, dFactors: dFactors, balance: balance)
    if let router = gradients.experts?.router {
      block.add(.router, router, bias: nil, dLogits, source, on: compute)
    }

    let target = weights.mlpNorm == nil ? d : backward.dNormed
    combineRows(target, dRows, routing, adding: weights.mlpNorm == nil, on: compute)
    multiplyByWeight(target, dLogits, experts.router, adding: true)
    weights.mlpNorm?.backward(
      d, block.norm(.mlpNorm, gradients.mlpNorm), target, kept.middle, adding: true, on: compute)
  }

  /// `dx = dy · w` with each expert's w for its rows.
  private func multiplyByExperts(
    _ dx: Matrix, _ dy: Matrix, _ weight: Weight, _ experts: ExpertWeights, _ routing: Routing
  ) {
    for expert in routing.inUse {
      let rows = routing.rows(of: expert)
      multiplyByWeight(dx.rows(rows), dy.rows(rows), experts.rows(of: expert, in: weight))
    }
  }

  private func missingRoom() -> Never { preconditionFailure("a network with experts has room") }
}

extension BlockGradient {
  /// Adds `dyᵀ · x` of each expert's rows to the gradient of its part of the weight `role`, or what
  /// becomes of it in the factors of its matrices.
  fileprivate func add(
    _ role: BlockRole, _ gradient: Weight, _ dy: Matrix, _ x: Matrix, _ experts: ExpertWeights,
    _ routing: Routing, on compute: Compute
  ) {
    let adapted = Dictionary(grouping: lowRank(role)) { $0.factors.expert }
    for expert in routing.inUse {
      let rows = routing.rows(of: expert)
      let (dy, x) = (dy.rows(rows), x.rows(rows))
      for matrix in adapted[expert] ?? [] {
        let first = expert * dy.columns
        let own = matrix.factors.rows
        matrix.add(
          dy.columns(own.lowerBound - first..<own.upperBound - first), x, on: compute)
      }
      guard isTrained(role), let target = experts.rows(of: expert, in: gradient).matrix
      else { continue }
      multiply(target, dy.transposed, Operand(x), adding: true, on: compute)
    }
  }
}
