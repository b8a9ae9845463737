import CKernels

/// How a student's loss mixes labels and a teacher (Hinton et al., 2015):
/// `(1 - mix) · cross-entropy + mix · T² · KL(teacher ‖ student)`, the latter of distributions that
/// the temperature T has softened.
package struct DistillationMix: Equatable, Sendable {
  package var temperature: Float
  /// In [0, 1].
  package var mix: Float

  package init(temperature: Float, mix: Float) {
    self.temperature = temperature
    self.mix = mix
  }
}

/// Sums over the rows with a label, in nats.
package struct DistillationSums: Equatable, Sendable {
  package var crossEntropy = 0.0
  /// KL(teacher ‖ student) of the softened distributions.
  package var divergence = 0.0

  package init() {}
}

/// The output head's loss against labels and a teacher, with its gradients, a chunk of rows at a
/// time, so that no matrix of all logits exists, of neither model.
///
/// - Parameters:
///   - dHidden: `[rows, h]`, overwritten.
///   - dHead: `[V, h]`, added to; nil when it is not wanted.
///   - hidden: `[rows, h]`, after the final norm; head: `[V, h]`, float32.
///   - form, teacherForm: What makes logits of each head's results.
///   - teacherHidden: `[rows, h']`, after the teacher's final norm; teacherHead: `[V, h']`.
///   - labels: `[rows]`, each below V; rows with a negative one count nothing.
///   - weight: Factor on the gradients, such as 1 / number of labels.
///   - logits: `[chunk, V]`, room to work in, and so is `teacherLogits`.
package func distillation(
  dHidden: Matrix, dHead: Matrix?, hidden: Matrix, head: Matrix, form: LogitForm = .plain,
  teacherHidden: Matrix, teacherHead: Weight, teacherForm: LogitForm = .plain, labels: [Int32],
  _ mix: DistillationMix, weight: Float, logits: Matrix,
  teacherLogits: Matrix, on compute: Compute
) -> DistillationSums {
  precondition(labels.count == hidden.rows && teacherHidden.rows == hidden.rows, "rows agree")
  precondition(head.rows == teacherHead.rows, "one vocabulary")
  var sums = DistillationSums()
  let height = min(logits.rows, teacherLogits.rows)
  for start in stride(from: 0, to: hidden.rows, by: height) {
    let rows = start..<min(start + height, hidden.rows)
    let (chunk, taught) = (logits.rows(0..<rows.count), teacherLogits.rows(0..<rows.count))
    linear(chunk, hidden.rows(rows), Weight(head), on: compute)
    linear(taught, teacherHidden.rows(rows), teacherHead, on: compute)
    form.apply(chunk, on: compute)
    teacherForm.apply(taught, on: compute)
    let part = distillation(
      chunk, taught, form: form, labels: Array(labels[rows]), mix, weight: weight, on: compute)
    sums.crossEntropy += part.crossEntropy
    sums.divergence += part.divergence
    multiply(dHidden.rows(rows), chunk, head, on: compute)
    if let dHead {
      multiply(dHead, chunk.transposed, Operand(hidden.rows(rows)), adding: true, on: compute)
    }
  }
  return sums
}

/// The loss of rows of logits against labels and a teacher's logits.
///
/// - Parameters:
///   - logits: `[rows, V]`; become the gradient of the head's results times `weight`.
///   - form: What made the logits of the head's results.
///   - teacher: `[rows, V]`; overwritten with what is of no use.
package func distillation(
  _ logits: Matrix, _ teacher: Matrix, form: LogitForm = .plain, labels: [Int32],
  _ mix: DistillationMix, weight: Float, on compute: Compute
) -> DistillationSums {
  precondition(labels.count == logits.rows && teacher.rows == logits.rows, "a label for each row")
  precondition(teacher.columns == logits.columns, "one vocabulary")
  precondition(labels.allSatisfy { $0 < logits.columns }, "labels of the vocabulary")
  var sums = [DistillationSums](repeating: DistillationSums(), count: compute.count)
  unsafe sums.withUnsafeMutableBufferPointer { sums in
    unsafe labels.withUnsafeBufferPointer { labels in
      compute.divide(logits.rows) { worker, rows in
        guard let labels = labels.baseAddress else { return }
        // SAFETY: each thread writes its own sums, and has labels for its own rows.
        unsafe sums[worker].crossEntropy = ck_distil(
          logits.pointer(rows.lowerBound), logits.stride, teacher.pointer(rows.lowerBound),
          teacher.stride, labels + rows.lowerBound, rows.count, logits.columns, mix.temperature,
          mix.mix, weight / form.divisor, form.inverseCap, &sums[worker].divergence)
      }
    }
  }
  return sums.reduce(into: DistillationSums()) { total, part in
    total.crossEntropy += part.crossEntropy
    total.divergence += part.divergence
  }
}
