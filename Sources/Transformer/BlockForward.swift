import Kernels
import ModelGraph
import Tensors

/// What the blocks of one pass have in common: the network, where its rows stand, the threads.
struct BlockContext {
  let network: Network
  let table: RotationTable
  /// Position of each row in its sequence, `[T]`.
  let positions: [Int32]
  let visibility: Visibility
  let workers: Workers

  var epsilon: Float { network.epsilon }
}

/// Keys and values of one execution of a block, for all tokens so far.
struct CacheEntry: Sendable {
  let keys: Matrix  // [B * capacity, keyValueWidth], rotated
  let values: Matrix  // [B * capacity, keyValueWidth]
}

extension BlockContext {
  /// One block: `y = x + attention + MLP`.
  ///
  /// - Parameters:
  ///   - y: `[T, h]`, overwritten; may be `x` when `kept.middle` is too.
  ///   - x: `[T, h]`, the residual stream.
  ///   - kept: Overwritten.
  ///   - cache: Where keys and values go and are read; nil to attend to the batch's own.
  func forward(
    _ block: BlockWeights, _ y: Matrix, _ x: Matrix, keeping kept: Activations,
    _ work: Workspace, cache: CacheEntry? = nil
  ) {
    attend(block, x, keeping: kept, work, cache: cache)
    feed(block, y, keeping: kept, work)
  }

  /// Attention half: fills `kept` up to `middle`.
  func attend(
    _ block: BlockWeights, _ x: Matrix, keeping kept: Activations, _ work: Workspace,
    cache: CacheEntry? = nil
  ) {
    let source = preNormed(work.normed, x, block.attentionNorm)
    linear(kept.fused, source, block.queryKeyValue, on: workers)
    if let bias = block.queryKeyValueBias { addBias(kept.fused, bias, on: workers) }
    let rotated = rotateQueriesAndKeys(block, kept.fused, work)
    var (keys, values) = (keys(rotated), values(kept.fused))
    if let cache {
      store(keys, in: cache.keys)
      store(values, in: cache.values)
      (keys, values) = (cache.keys, cache.values)
    }
    attention(
      work.mixed, logSums: cache == nil ? kept.logSums : nil, q: queries(rotated), k: keys,
      v: values, network.shape, visibility, on: workers)
    join(
      kept.middle, x, work.mixed, block.output, block.outputBias, norm: block.attentionNorm,
      kept.attended)
  }

  /// MLP half: from `kept.middle` to `y`.
  func feed(_ block: BlockWeights, _ y: Matrix, keeping kept: Activations, _ work: Workspace) {
    expand(block, keeping: kept, work)
    swiGLU(work.activated, kept.gateUp, on: workers)
    join(
      y, kept.middle, work.activated, block.down, block.downBias, norm: block.mlpNorm, kept.fed)
  }

  /// Fills `kept.gateUp` from `kept.middle`.
  func expand(_ block: BlockWeights, keeping kept: Activations, _ work: Workspace) {
    let source = preNormed(work.normed, kept.middle, block.mlpNorm)
    linear(kept.gateUp, source, block.gateUp, on: workers)
    if let bias = block.gateUpBias { addBias(kept.gateUp, bias, on: workers) }
  }

  /// `x`, normalised into `target` where the style puts norms before.
  func preNormed(_ target: Matrix, _ x: Matrix, _ scale: Matrix) -> Matrix {
    guard network.style.norms == .before else { return x }
    rmsNorm(target, x, scale: scale, epsilon: epsilon, on: workers)
    return target
  }

  /// Adds a projection of `input` to the stream: `y = x + input · wᵀ`, or its norm.
  private func join(
    _ y: Matrix, _ x: Matrix, _ input: Matrix, _ weight: Weight, _ bias: Matrix?, norm: Matrix,
    _ projected: Matrix?
  ) {
    if y.offset != x.offset || y.buffer !== x.buffer { copy(y, x, on: workers) }
    let target = projected ?? y
    linear(target, input, weight, adding: projected == nil, on: workers)
    if let bias { addBias(target, bias, on: workers) }
    if let projected {
      rmsNorm(y, projected, scale: norm, epsilon: epsilon, adding: true, on: workers)
    }
  }

  /// Queries and keys of `fused`, rotated in place; those that have norms, normalised and rotated
  /// beside it, since the norms' gradients read what came before.
  private func rotateQueriesAndKeys(
    _ block: BlockWeights, _ fused: Matrix, _ work: Workspace
  ) -> Matrix {
    let plain = fused.columns(0..<network.rotatedWidth)
    let target = normQueriesAndKeys(block, fused, work) ?? plain
    rotate(target, target, table, positions: positions, on: workers)
    return target
  }

  /// What `rotateQueriesAndKeys` gave for the same `fused`, again.
  func rotatedQueriesAndKeys(_ block: BlockWeights, _ fused: Matrix, _ work: Workspace) -> Matrix {
    guard let target = normQueriesAndKeys(block, fused, work) else {
      return fused.columns(0..<network.rotatedWidth)
    }
    rotate(target, target, table, positions: positions, on: workers)
    return target
  }

  /// Nil where the style has no norms of queries and keys.
  private func normQueriesAndKeys(
    _ block: BlockWeights, _ fused: Matrix, _ work: Workspace
  ) -> Matrix? {
    guard let queryNorm = block.queryNorm, let keyNorm = block.keyNorm, let target = work.rotated
    else { return nil }
    rmsNorm(queries(target), queries(fused), scale: queryNorm, epsilon: epsilon, on: workers)
    rmsNorm(keys(target), keys(fused), scale: keyNorm, epsilon: epsilon, on: workers)
    return target
  }

  /// Columns of the queries in a fused or rotated matrix.
  func queries(_ x: Matrix) -> Matrix { x.columns(0..<network.queryWidth) }

  func keys(_ x: Matrix) -> Matrix { x.columns(network.queryWidth..<network.rotatedWidth) }

  func values(_ x: Matrix) -> Matrix { x.columns(network.rotatedWidth..<network.fusedWidth) }

  /// Rows of the batch to their places in the cache.
  private func store(_ x: Matrix, in cache: Matrix) {
    let count = visibility.queries
    for b in 0..<visibility.sequences {
      let start = b * visibility.keyRows + visibility.past
      copy(
        cache.rows(start..<(start + count)), x.rows(b * count..<(b + 1) * count), on: workers)
    }
  }
}
