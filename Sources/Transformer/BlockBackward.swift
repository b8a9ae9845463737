import Kernels
import ModelGraph

/// Room that the gradient of every block uses and none keeps.
struct BackwardWorkspace: Sendable {
  let dNormed: Matrix  // [T, h]
  let dBranch: Matrix?  // [T, h] gradient of what a half adds to the stream, where that is not d
  let dMixed: Matrix  // [T, heads * headSize]
  let dFused: Matrix  // [T, W]
  let partial: (dk: Matrix, dv: Matrix)  // [T, key and value width] each
  let experts: ExpertBackwardWorkspace?

  static func floatCount(_ network: Network, rows: Int) -> Int {
    let (hidden, keyValueWidth) = (network.sizes.hidden, network.sizes.keyValueWidth)
    let widths = [
      hidden, Self.hasBranch(network) ? hidden : 0, network.queryWidth, network.fusedWidth,
      keyValueWidth, keyValueWidth,
    ]
    return (widths + ExpertBackwardWorkspace.widths(network)).reduce(0) {
      $0 + Arena.rounded($1 * rows)
    }
  }

  private static func hasBranch(_ network: Network) -> Bool {
    network.hasOutputNorms || network.scalesResiduals
  }

  init(_ network: Network, rows: Int, in arena: inout Arena) {
    dNormed = arena.matrix(rows, network.sizes.hidden)
    dBranch = Self.hasBranch(network) ? arena.matrix(rows, network.sizes.hidden) : nil
    dMixed = arena.matrix(rows, network.queryWidth)
    dFused = arena.matrix(rows, network.fusedWidth)
    let width = network.sizes.keyValueWidth
    partial = (arena.matrix(rows, width), arena.matrix(rows, width))
    experts = ExpertBackwardWorkspace(network, rows: rows, in: &arena)
  }
}

/// A block's weights, where its gradients go, and which of them are wanted.
struct BlockGradient {
  let weights: BlockWeights
  let gradients: BlockWeights
  let isTrained: (BlockRole) -> Bool
  let lowRank: (BlockRole) -> [LowRankGradient]

  /// Adds `dyᵀ · x` to the gradient of the weight `role`, and the sums of `dy` to its bias; or what
  /// becomes of it in the factors of an adapted weight.
  func add(
    _ role: BlockRole, _ gradient: Weight, bias: Matrix?, _ dy: Matrix, _ x: Matrix,
    on compute: Compute
  ) {
    for adapted in lowRank(role) {
      adapted.add(dy.columns(adapted.factors.rows), x, on: compute)
    }
    guard isTrained(role), let gradient = gradient.matrix else { return }
    multiply(gradient, dy.transposed, Operand(x), adding: true, on: compute)
    if let bias { addBiasBackward(bias, dy, on: compute) }
  }

  func norm(_ role: BlockRole, _ gradient: Norm?) -> Norm? {
    isTrained(role) ? gradient : nil
  }
}

extension BlockContext {
  /// Gradient of one block.
  ///
  /// - Parameters:
  ///   - d: `[T, h]`, gradient of the block's output; becomes that of its input.
  ///   - x: The block's input.
  ///   - kept: What the forward pass kept; `gateUp` is overwritten.
  ///   - balance: Gradient of each expert's probability in every row, beside that of what the experts
  ///     give; empty where there is none.
  func backward(
    _ block: BlockGradient, _ d: Matrix, _ x: Matrix, kept: Activations, _ work: Workspace,
    _ backward: BackwardWorkspace, balance: [Float] = []
  ) {
    sumBackward(block, .mlpSumNorm, \.mlpSumNorm, d, kept.fed)
    if let experts = block.weights.experts {
      feedBackward(block, experts, d, kept: kept, work, backward, balance)
    } else {
      feedBackward(block, d, kept: kept, work, backward)
    }
    sumBackward(block, .attentionSumNorm, \.attentionSumNorm, d, kept.attended)
    attendBackward(block, d, x, kept: kept, work, backward)
  }

  /// Gradient of a norm on the stream after a half was added, where there is one.
  private func sumBackward(
    _ block: BlockGradient, _ role: BlockRole, _ path: KeyPath<BlockWeights, Norm?>, _ d: Matrix,
    _ sum: Matrix?
  ) {
    guard let norm = block.weights[keyPath: path], let sum else { return }
    norm.backward(d, block.norm(role, block.gradients[keyPath: path]), d, sum, on: compute)
  }

  private func feedBackward(
    _ block: BlockGradient, _ d: Matrix, kept: Activations, _ work: Workspace,
    _ backward: BackwardWorkspace
  ) {
    let (weights, gradients) = (block.weights, block.gradients)
    let dBranch = branchGradient(
      weights, d, kept.fed, weights.mlpOutputNorm,
      block.norm(.mlpOutputNorm, gradients.mlpOutputNorm), backward)
    multiplyByWeight(work.activated, dBranch, weights.down)
    gatedBackward(
      kept.gateUp, work.activated, work.activated, kept.gateUp, by: weights.activation, on: compute)
    block.add(
      .down, gradients.down, bias: gradients.downBias, dBranch, work.activated, on: compute)
    let source = preNormed(work.normed, kept.middle, weights.mlpNorm)
    block.add(
      .gateUp, gradients.gateUp, bias: gradients.gateUpBias, kept.gateUp, source, on: compute)
    addToStream(
      d, kept.gateUp, weights.gateUp, kept.middle, weights.mlpNorm,
      block.norm(.mlpNorm, gradients.mlpNorm), backward)
  }

  private func attendBackward(
    _ block: BlockGradient, _ d: Matrix, _ x: Matrix, kept: Activations, _ work: Workspace,
    _ backward: BackwardWorkspace
  ) {
    let (weights, gradients) = (block.weights, block.gradients)
    let dBranch = branchGradient(
      weights, d, kept.attended, weights.attentionOutputNorm,
      block.norm(.attentionOutputNorm, gradients.attentionOutputNorm), backward)
    multiplyByWeight(backward.dMixed, dBranch, weights.output)
    let rotated = rotatedQueriesAndKeys(weights, kept.fused, work)
    let dFused = backward.dFused
    attentionBackward(
      dq: queries(dFused), dk: keys(dFused), dv: values(dFused),
      partial: backward.partial, y: work.mixed, dy: backward.dMixed,
      logSums: kept.logSums, q: queries(rotated), k: keys(rotated), v: values(kept.fused),
      weights.shape, visible(weights), on: compute)
    block.add(
      .output, gradients.output, bias: gradients.outputBias, dBranch, work.mixed, on: compute)
    let dRotated = dFused.columns(0..<network.rotatedWidth)
    turn(weights, dRotated, inverse: true)
    if let bias = gradients.queryKeyBias, block.isTrained(.queryKeyBias) {
      addBiasBackward(bias, dRotated, on: compute)
    }
    weights.queryNorm?.backward(
      queries(dFused), block.norm(.queryNorm, gradients.queryNorm), queries(dFused),
      queries(kept.fused), on: compute)
    weights.keyNorm?.backward(
      keys(dFused), block.norm(.keyNorm, gradients.keyNorm), keys(dFused), keys(kept.fused),
      on: compute)
    let source = preNormed(work.normed, x, weights.attentionNorm)
    block.add(
      .queryKeyValue, gradients.queryKeyValue, bias: gradients.queryKeyValueBias, dFused, source,
      on: compute)
    addToStream(
      d, dFused, weights.queryKeyValue, x, weights.attentionNorm,
      block.norm(.attentionNorm, gradients.attentionNorm), backward)
  }

  /// Gradient of a half's last projection: before the factor and the norm that follow it, if any.
  func branchGradient(
    _ block: BlockWeights, _ d: Matrix, _ projected: Matrix?, _ norm: Norm?, _ dNorm: Norm?,
    _ backward: BackwardWorkspace
  ) -> Matrix {
    guard let dBranch = backward.dBranch, norm != nil || block.residual != 1 else { return d }
    if block.residual != 1 {
      copy(dBranch, d, on: compute)
      scale(dBranch, by: block.residual, on: compute)
    }
    if let norm, let projected {
      let dy = block.residual == 1 ? d : dBranch
      norm.backward(dBranch, dNorm, dy, projected, on: compute)
    }
    return dBranch
  }

  /// Adds to `d` what comes back through a half's first projection, and through the norm before it.
  private func addToStream(
    _ d: Matrix, _ dy: Matrix, _ weight: Weight, _ x: Matrix, _ norm: Norm?, _ dNorm: Norm?,
    _ backward: BackwardWorkspace
  ) {
    guard let norm else { return multiplyByWeight(d, dy, weight, adding: true) }
    multiplyByWeight(backward.dNormed, dy, weight)
    norm.backward(d, dNorm, backward.dNormed, x, adding: true, on: compute)
  }

  /// `dx = dy · w`, the gradient of a linear layer's input.
  func multiplyByWeight(_ dx: Matrix, _ dy: Matrix, _ weight: Weight, adding: Bool = false) {
    guard let weight = weight.matrix else { preconditionFailure("trained weights are float32") }
    multiply(dx, dy, weight, adding: adding, on: compute)
  }
}
