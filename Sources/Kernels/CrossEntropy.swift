import CKernels

/// Cross-entropy of the output head with its gradients, a chunk of rows at a time, so that no
/// matrix of all logits exists.
///
/// - Parameters:
///   - dHidden: `[rows, h]`, overwritten; nil when only the loss is wanted.
///   - dHead: `[V, h]`, added to; nil when it is not wanted.
///   - hidden: `[rows, h]`, after the final norm.
///   - head: `[V, h]`; float32 when gradients are wanted.
///   - form: What makes logits of the head's results.
///   - labels: `[rows]`, each below V; a negative one counts nothing.
///   - weight: Factor on the gradients, such as 1 / number of labels.
///   - logits: `[chunk, V]`, room to work in.
/// - Returns: Sum of the losses in nats, not weighted.
package func crossEntropy(
  dHidden: Matrix?, dHead: Matrix?, hidden: Matrix, head: Weight, form: LogitForm = .plain,
  labels: [Int32], weight: Float, logits: Matrix, on compute: Compute
) -> Double {
  precondition(labels.count == hidden.rows, "a label for each row")
  var total = 0.0
  for start in stride(from: 0, to: hidden.rows, by: logits.rows) {
    let rows = start..<min(start + logits.rows, hidden.rows)
    let chunk = logits.rows(0..<rows.count)
    linear(chunk, hidden.rows(rows), head, on: compute)
    form.apply(chunk, on: compute)
    total += crossEntropy(
      chunk, form, labels: Array(labels[rows]), weight: dHidden == nil ? 0 : weight, on: compute)
    guard let dHidden, let head = head.matrix else { continue }
    multiply(dHidden.rows(rows), chunk, head, on: compute)
    if let dHead {
      multiply(dHead, chunk.transposed, Operand(hidden.rows(rows)), adding: true, on: compute)
    }
  }
  return total
}

/// Sum of the cross-entropies of rows of logits with their labels, in nats.
///
/// - Parameters:
///   - losses: `[1, rows]`, overwritten with each row's loss, 0 without label; nil when only the
///     sum is wanted.
///   - logits: `[rows, V]`; become the gradient of the head's results times `weight`, which is
///     `weight * (softmax - one-hot)` for a plain form, unless `weight` is 0.
///   - form: What made the logits of the head's results.
package func crossEntropy(
  losses: Matrix? = nil, _ logits: Matrix, _ form: LogitForm = .plain, labels: [Int32],
  weight: Float, on compute: Compute
) -> Double {
  precondition(labels.count == logits.rows, "a label for each row")
  precondition(labels.allSatisfy { $0 < logits.columns }, "labels of the vocabulary")
  precondition(losses.map { $0.columns == logits.rows } ?? true, "a loss for each row")
  var sums = [Double](repeating: 0, count: compute.count)
  unsafe sums.withUnsafeMutableBufferPointer { sums in
    unsafe labels.withUnsafeBufferPointer { labels in
      compute.divide(logits.rows) { worker, rows in
        guard let labels = labels.baseAddress else { return }
        // SAFETY: each thread writes its own sum, and has labels for its own rows.
        unsafe sums[worker] = ck_cross_entropy(
          logits.pointer(rows.lowerBound), logits.stride,
          losses.map { unsafe $0.pointer + rows.lowerBound }, labels + rows.lowerBound, rows.count,
          logits.columns, weight / form.divisor, form.inverseCap)
      }
    }
  }
  return sums.reduce(0, +)
}

/// Kullback-Leibler divergence, in nats, of softmax(`logits`) from softmax(`reference`).
///
/// - Parameters:
///   - logits, reference: `[1, V]`; sums are relaxed, in Double.
package func divergenceOfSoftmax(_ logits: Matrix, from reference: Matrix) -> Double {
  precondition(
    logits.rows == 1 && reference.rows == 1 && logits.columns == reference.columns,
    "one prediction each")
  return unsafe ck_softmax_divergence(logits.pointer, reference.pointer, logits.columns)
}
