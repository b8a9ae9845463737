import Kernels
import ModelGraph
import Tensors

/// What the blocks of one pass have in common: the network, where its rows stand, the threads.
struct BlockContext {
  let network: Network
  /// One for each of the network's rotary embeddings.
  let tables: [RotationTable]
  /// Position of each row in its sequence, `[T]`.
  let positions: [Int32]
  let visibility: Visibility
  let compute: Compute
}

extension BlockContext {
  /// One block: `y = x + attention + MLP`, as its spec says.
  ///
  /// - Parameters:
  ///   - y: `[T, h]`, overwritten; may be `x` when `kept.middle` is too.
  ///   - x: `[T, h]`, the residual stream.
  ///   - kept: Overwritten.
  ///   - cache: Where keys and values go and are read; nil to attend to the batch's own.
  func forward(
    _ block: BlockWeights, _ y: Matrix, _ x: Matrix, keeping kept: Activations,
    _ work: Workspace, cache: StepCache? = nil
  ) {
    attend(block, x, keeping: kept, work, cache: cache)
    feed(block, y, keeping: kept, work)
  }

  /// Attention half: fills `kept` up to `middle`.
  func attend(
    _ block: BlockWeights, _ x: Matrix, keeping kept: Activations, _ work: Workspace,
    cache: StepCache? = nil
  ) {
    let source = preNormed(work.normed, x, block.attentionNorm)
    linear(kept.fused, source, block.queryKeyValue, on: compute)
    if let bias = block.queryKeyValueBias { addBias(kept.fused, bias, on: compute) }
    if let bias = block.queryKeyBias {
      addBias(kept.fused.columns(0..<network.rotatedWidth), bias, on: compute)
    }
    let rotated = rotateQueriesAndKeys(block, kept.fused, work)
    let (keys, values) = (keys(rotated), values(kept.fused))
    cache?.store(keys, values, at: positions, on: compute)
    switch cache {
    case nil:
      attention(
        work.mixed, logSums: kept.logSums, q: queries(rotated), k: keys, v: values, block.shape,
        visible(block), on: compute)
    case .run(let entry):
      attention(
        work.mixed, logSums: nil, q: queries(rotated), k: entry.keys, v: entry.values,
        block.shape, visible(block), on: compute)
    case .each(let entries):
      attendEach(
        work.mixed, q: queries(rotated),
        zip(entries, positions).map { entry, position in
          SeenKeys(
            entry.keys, entry.values, position: Int(position), window: block.window)
        }, block.shape, on: compute)
    }
    let norms = (block.attentionOutputNorm, block.attentionSumNorm)
    join(block, kept.middle, x, norms, kept.attended, work) {
      linear($0, work.mixed, block.output, adding: $1, on: compute)
      if let bias = block.outputBias { addBias($0, bias, on: compute) }
    }
  }

  /// MLP half: from `kept.middle` to `y`.
  func feed(_ block: BlockWeights, _ y: Matrix, keeping kept: Activations, _ work: Workspace) {
    if let experts = block.experts {
      return feed(block, experts, y, keeping: kept, work)
    }
    expand(block, keeping: kept, work)
    gated(work.activated, kept.gateUp, by: block.activation, on: compute)
    join(block, y, kept.middle, (block.mlpOutputNorm, block.mlpSumNorm), kept.fed, work) {
      linear($0, work.activated, block.down, adding: $1, on: compute)
      if let bias = block.downBias { addBias($0, bias, on: compute) }
    }
  }

  /// Fills what the MLP keeps from `kept.middle`.
  func expand(_ block: BlockWeights, keeping kept: Activations, _ work: Workspace) {
    let source = preNormed(work.normed, kept.middle, block.mlpNorm)
    if let experts = block.experts {
      _ = expand(block, experts, source, keeping: kept, work)
      return
    }
    linear(kept.gateUp, source, block.gateUp, on: compute)
    if let bias = block.gateUpBias { addBias(kept.gateUp, bias, on: compute) }
  }

  /// The keys that the block's window leaves visible.
  func visible(_ block: BlockWeights) -> Visibility {
    var visibility = visibility
    visibility.window = block.window
    return visibility
  }

  /// `x`, normalised into `target` where a norm stands before.
  func preNormed(_ target: Matrix, _ x: Matrix, _ norm: Norm?) -> Matrix {
    guard let norm else { return x }
    norm.apply(target, x, on: compute)
    return target
  }

  /// Adds what a half projects to the stream: `y = x + m · norm(projection)`; or
  /// `y = norm(x + projection)`.
  ///
  /// - Parameters:
  ///   - norms: On the projection, and on the sum; no block has both.
  ///   - projected: Keeps what the norm reads.
  ///   - project: Writes the projection to its target, or adds it.
  func join(
    _ block: BlockWeights, _ y: Matrix, _ x: Matrix, _ norms: (branch: Norm?, sum: Norm?),
    _ projected: Matrix?, _ work: Workspace, _ project: (_ target: Matrix, _ adding: Bool) -> Void
  ) {
    if let norm = norms.sum, let projected {
      copy(projected, x, on: compute)
      project(projected, true)
      return norm.apply(y, projected, on: compute)
    }
    let norm = norms.branch
    if y.offset != x.offset || y.buffer !== x.buffer { copy(y, x, on: compute) }
    let isScaled = block.residual != 1
    let target = (norm == nil ? (isScaled ? work.branch : y) : projected) ?? y
    project(target, norm == nil && !isScaled)
    if isScaled, let branch = work.branch {
      norm?.apply(branch, target, on: compute)
      addScaled(y, branch, by: block.residual, on: compute)
    } else {
      norm?.apply(y, target, adding: true, on: compute)
    }
  }

  /// Queries and keys of `fused`, rotated in place; those that have norms, normalised and rotated
  /// beside it, since the norms' gradients read what came before.
  private func rotateQueriesAndKeys(
    _ block: BlockWeights, _ fused: Matrix, _ work: Workspace
  ) -> Matrix {
    let plain = fused.columns(0..<network.rotatedWidth)
    let target = normQueriesAndKeys(block, fused, work) ?? plain
    turn(block, target)
    return target
  }

  /// Rotates queries and keys by their positions, in place; nothing where the block knows none.
  func turn(_ block: BlockWeights, _ target: Matrix, inverse: Bool = false) {
    guard let rotation = block.rotation else { return }
    rotate(
      target, target, tables[rotation], headSize: network.sizes.headSize, positions: positions,
      inverse: inverse, on: compute)
  }

  /// What `rotateQueriesAndKeys` gave for the same `fused`, again.
  func rotatedQueriesAndKeys(_ block: BlockWeights, _ fused: Matrix, _ work: Workspace) -> Matrix {
    guard let target = normQueriesAndKeys(block, fused, work) else {
      return fused.columns(0..<network.rotatedWidth)
    }
    turn(block, target)
    return target
  }

  /// Nil where the block has no norms of queries and keys.
  private func normQueriesAndKeys(
    _ block: BlockWeights, _ fused: Matrix, _ work: Workspace
  ) -> Matrix? {
    guard let queryNorm = block.queryNorm, let keyNorm = block.keyNorm, let target = work.rotated
    else { return nil }
    queryNorm.apply(queries(target), queries(fused), on: compute)
    keyNorm.apply(keys(target), keys(fused), on: compute)
    return target
  }

  /// Columns of the queries in a fused or rotated matrix.
  func queries(_ x: Matrix) -> Matrix { x.columns(0..<network.queryWidth) }

  func keys(_ x: Matrix) -> Matrix { x.columns(network.queryWidth..<network.rotatedWidth) }

  func values(_ x: Matrix) -> Matrix { x.columns(network.rotatedWidth..<network.fusedWidth) }
}
