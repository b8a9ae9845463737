import CKernels

/// Gradient of `attention`, without its probabilities: they are computed again from the scores.
///
/// - Parameters:
///   - dq, dk, dv: As q, k, v; overwritten.
///   - dy: Gradient of the result.
///   - y, logSums: Results of the forward pass.
package func attentionBackward(
  dq: Matrix, dk: Matrix, dv: Matrix, dy: Matrix, y: Matrix, logSums: Matrix, q: Matrix, k: Matrix,
  v: Matrix, _ shape: AttentionShape, _ visibility: Visibility, on workers: Workers
) {
  check(y, q, k, v, shape, visibility)
  check(dy, dq, dk, dv, shape, visibility)
  precondition(visibility.past == 0, "no cache in training")
  let height = AttentionTile.height(shape, visibility)
  // One task owns the gradient of one head's keys, so tiles add to it in order.
  workers.each(visibility.sequences * shape.keyValueHeads) { worker, task in
    let (b, head) = task.quotientAndRemainder(dividingBy: shape.keyValueHeads)
    for matrix in [dk, dv] {
      for row in b * visibility.keyRows..<(b + 1) * visibility.keyRows {
        let target = unsafe matrix.pointer(row) + head * shape.headSize
        unsafe target.update(repeating: 0, count: shape.headSize)
      }
    }
    for start in stride(from: 0, to: visibility.queries, by: height) {
      let tile = AttentionTile(
        shape, visibility, sequence: b, head: head,
        queries: start..<min(start + height, visibility.queries))
      let floats = 2 * tile.scoreCount + 3 * tile.vectorCount + 4 * tile.rows
      unsafe tile.backward(
        dq, dk, dv, dy, y, logSums, q, k, v, scratch: workers.scratch(worker, floats: floats))
    }
  }
}

extension AttentionTile {
  fileprivate func backward(
    _ dq: Matrix, _ dk: Matrix, _ dv: Matrix, _ dy: Matrix, _ y: Matrix, _ logSums: Matrix,
    _ q: Matrix, _ k: Matrix, _ v: Matrix, scratch: UnsafeMutablePointer<Float>
  ) {
    let (size, count) = (shape.headSize, keys.count)
    let scores = unsafe scratch
    let dScores = unsafe scores + scoreCount
    let stack = unsafe dScores + scoreCount
    let dStack = unsafe stack + vectorCount
    let other = unsafe dStack + vectorCount
    let delta = unsafe other + vectorCount
    let sum = unsafe delta + rows
    let first = unsafe UnsafeMutableRawPointer(sum + rows).assumingMemoryBound(to: Int32.self)
    let last = unsafe first + rows
    unsafe gather(dStack, dy)
    unsafe gather(other, y)
    unsafe ck_row_dots(delta, dStack, size, other, size, rows, size)
    unsafe gather(stack, q)
    unsafe visible(first, last)
    for g in 0..<shape.group {
      unsafe (sum + g * queries.count).update(from: sums(logSums, g), count: queries.count)
    }
    unsafe sgemm(
      scores, count, stack, size, false, keyVectors(k), k.stride, true, m: rows, n: count, k: size,
      adding: false)
    unsafe sgemm(
      dScores, count, dStack, size, false, keyVectors(v), v.stride, true, m: rows, n: count,
      k: size, adding: false)
    unsafe ck_softmax_backward(
      scores, dScores, count, first, last, rows, count, shape.scale, sum, delta)
    unsafe sgemm(
      keyVectors(dv), dv.stride, scores, count, true, dStack, size, false, m: count, n: size,
      k: rows, adding: true)
    unsafe sgemm(
      keyVectors(dk), dk.stride, dScores, count, true, stack, size, false, m: count, n: size,
      k: rows, adding: true)
    unsafe sgemm(
      other, size, dScores, count, false, keyVectors(k), k.stride, false, m: rows, n: size,
      k: count, adding: false)
    unsafe scatter(dq, other)
  }
}
