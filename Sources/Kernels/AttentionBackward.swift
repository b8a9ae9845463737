import CKernels

/// Gradient of `attention`, without its probabilities and result: they are computed again from the
/// scores.
///
/// - Parameters:
///   - dq, dk, dv: As q, k, v; overwritten.
///   - partial: As dk and dv, room for the sums of every other tile.
///   - y: As `dy`, overwritten with the result of the forward pass.
///   - dy: Gradient of the result.
///   - logSums: What the forward pass saved.
package func attentionBackward(
  dq: Matrix, dk: Matrix, dv: Matrix, partial: (dk: Matrix, dv: Matrix), y: Matrix, dy: Matrix,
  logSums: Matrix, q: Matrix, k: Matrix, v: Matrix, _ shape: AttentionShape,
  _ visibility: Visibility, on compute: Compute
) {
  check(y, q, k, v, shape, visibility)
  check(dy, dq, dk, dv, shape, visibility)
  check(dy, dq, partial.dk, partial.dv, shape, visibility)
  precondition(visibility.past == 0, "no cache in training")
  let height = AttentionTile.height(shape, visibility)
  let tiles = (visibility.queries + height - 1) / height
  // A task adds to sums of its own, tile by tile in order. Two of them share a key head, lest few
  // heads leave threads idle: one takes the tiles 0, 3, 4, 7, …, the other 1, 2, 5, 6, …, which have
  // equally many keys.
  compute.each(2 * visibility.sequences * shape.keyValueHeads) { worker, task in
    let (pair, half) = task.quotientAndRemainder(dividingBy: 2)
    let (b, head) = pair.quotientAndRemainder(dividingBy: shape.keyValueHeads)
    let (dk, dv) = half == 0 ? (dk, dv) : (partial.dk, partial.dv)
    for matrix in [dk, dv] {
      for row in b * visibility.keyRows..<(b + 1) * visibility.keyRows {
        let target = unsafe matrix.pointer(row) + head * shape.headSize
        unsafe target.update(repeating: 0, count: shape.headSize)
      }
    }
    for index in 0..<tiles where (index + 1) / 2 % 2 == half {
      let start = index * height
      let tile = AttentionTile(
        shape, visibility, sequence: b, head: head,
        queries: start..<min(start + height, visibility.queries))
      let floats = tile.backwardFloats + compute.precision.workspaceFloats
      unsafe tile.backward(
        dq, dk, dv, y, dy, logSums, q, k, v, workspace: compute.workspace(worker, floats: floats),
        compute.precision)
    }
  }
  add(dk, partial.dk, on: compute)
  add(dv, partial.dv, on: compute)
}

extension AttentionTile {
  /// Scratch of a backward pass: two matrices of scores, three stacks, sums, visible ranges.
  fileprivate var backwardFloats: Int { 2 * scoreCount + 3 * vectorCount + 3 * rows }

  fileprivate func backward(
    _ dq: Matrix, _ dk: Matrix, _ dv: Matrix, _ y: Matrix, _ dy: Matrix, _ logSums: Matrix,
    _ q: Matrix, _ k: Matrix, _ v: Matrix, workspace: UnsafeMutablePointer<Float>,
    _ precision: Precision
  ) {
    let (size, count) = (shape.headSize, keys.count)
    let scores = unsafe workspace
    let dScores = unsafe scores + scoreCount
    let stack = unsafe dScores + scoreCount
    let dStack = unsafe stack + vectorCount
    let other = unsafe dStack + vectorCount
    let sum = unsafe other + vectorCount
    let first = unsafe UnsafeMutableRawPointer(sum + rows).assumingMemoryBound(to: Int32.self)
    let last = unsafe first + rows
    let product = unsafe TileProduct(precision, workspace: workspace + backwardFloats)
    unsafe gather(dStack, dy)
    unsafe gather(stack, q)
    unsafe visible(first, last)
    for g in 0..<shape.group {
      unsafe (sum + g * queries.count).update(from: sums(logSums, g), count: queries.count)
    }
    unsafe product(
      scores, count, stack, size, false, keyVectors(k), k.stride, true, m: rows, n: count, k: size)
    unsafe product(
      dScores, count, dStack, size, false, keyVectors(v), v.stride, true, m: rows, n: count,
      k: size)
    if shape.softcap > 0 {
      unsafe ck_softcap_softmax_backward(
        scores, dScores, count, first, last, rows, count, shape.scale, shape.softcap, sum)
    } else {
      unsafe ck_softmax_backward(
        scores, dScores, count, first, last, rows, count, shape.scale, sum)
    }
    unsafe product(
      other, size, scores, count, false, keyVectors(v), v.stride, false, m: rows, n: size, k: count)
    unsafe scatter(y, other)
    unsafe product(
      keyVectors(dv), dv.stride, scores, count, true, dStack, size, false, m: count, n: size,
      k: rows, adding: true)
    unsafe product(
      keyVectors(dk), dk.stride, dScores, count, true, stack, size, false, m: count, n: size,
      k: rows, adding: true)
    unsafe product(
      other, size, dScores, count, false, keyVectors(k), k.stride, false, m: rows, n: size,
      k: count)
    unsafe scatter(dq, other)
  }
}
