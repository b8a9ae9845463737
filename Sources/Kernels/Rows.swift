import CKernels
import Tensors

/// Root-mean-square normalisation: `y = (offset + scale) * x / rms(x)`, or `y += …` when `adding`.
///
/// Each run of `scale.columns` values in a row is normalised by itself: a row, or each head's part
/// of it. Sums are relaxed.
///
/// - Parameters:
///   - y: `[rows, width]`; may be `x` unless adding.
///   - scale: `[1, width]`, or a whole fraction of the width.
///   - epsilon: Added to the mean square, before the root.
package func rmsNorm(
  _ y: Matrix, _ x: Matrix, scale: Matrix, offset: Float = 0, epsilon: Float, adding: Bool = false,
  on compute: Compute
) {
  precondition(y.rows == x.rows && y.columns == x.columns, "extents agree")
  precondition(x.columns % scale.columns == 0, "whole runs")
  let (width, runs) = (scale.columns, x.columns / scale.columns)
  compute.divide(x.rows, grain: grain(x)) { _, rows in
    for row in rows {
      unsafe ck_rms_norm(
        y.pointer(row), width, x.pointer(row), width, scale.pointer, offset, runs, width,
        epsilon, adding ? 1 : 0)
    }
  }
}

/// Gradient of `rmsNorm`: `dx = …`, or `dx += …` when `adding`; `dScale += …`.
///
/// - Parameters:
///   - dx: `[rows, width]`; may be `dy` unless adding.
///   - dScale: As `scale`; nil when it is not wanted.
///   - x: The input of the forward pass.
package func rmsNormBackward(
  _ dx: Matrix, _ dScale: Matrix?, _ dy: Matrix, _ x: Matrix, scale: Matrix, offset: Float = 0,
  epsilon: Float, adding: Bool, on compute: Compute
) {
  precondition(dx.rows == x.rows && dy.rows == x.rows && dx.columns == x.columns, "extents agree")
  precondition(x.columns % scale.columns == 0, "whole runs")
  let (width, runs) = (scale.columns, x.columns / scale.columns)
  unsafe sumOverThreads(dScale, rows: x.rows, on: compute) { rows, partial in
    for row in rows {
      unsafe ck_rms_norm_backward(
        dx.pointer(row), width, partial, dy.pointer(row), width, x.pointer(row), width,
        scale.pointer, offset, runs, width, epsilon, adding ? 1 : 0)
    }
  }
}

/// `y += x`.
package func add(_ y: Matrix, _ x: Matrix, on compute: Compute) {
  precondition(y.rows == x.rows && y.columns == x.columns, "extents agree")
  compute.divide(y.rows, grain: grain(y)) { _, rows in
    unsafe ck_add(
      y.pointer(rows.lowerBound), y.stride, x.pointer(rows.lowerBound), x.stride, rows.count,
      y.columns)
  }
}

/// `y += factor · x`.
package func addScaled(_ y: Matrix, _ x: Matrix, by factor: Float, on compute: Compute) {
  precondition(y.rows == x.rows && y.columns == x.columns, "extents agree")
  compute.divide(y.rows, grain: grain(y)) { _, rows in
    unsafe ck_add_scaled(
      y.pointer(rows.lowerBound), y.stride, x.pointer(rows.lowerBound), x.stride, factor,
      rows.count, y.columns)
  }
}

/// `y[i] += factors[i] · (a[i] - b[i])` for each row.
package func addDifferences(
  _ y: Matrix, _ a: Matrix, _ b: Matrix, factors: [Float], on compute: Compute
) {
  precondition(y.rows == a.rows && a.rows == b.rows && factors.count == y.rows, "extents agree")
  precondition(y.columns == a.columns && a.columns == b.columns, "extents agree")
  compute.divide(y.rows, grain: grain(y)) { _, rows in
    for row in rows where factors[row] != 0 {
      unsafe ck_add_difference(
        y.pointer(row), a.pointer(row), b.pointer(row), factors[row], y.columns)
    }
  }
}

/// `x = factor · x`.
package func scale(_ x: Matrix, by factor: Float, on compute: Compute) {
  compute.divide(x.rows, grain: grain(x)) { _, rows in
    unsafe ck_softcap(x.pointer(rows.lowerBound), x.stride, rows.count, x.columns, factor, 0)
  }
}

/// Adds the row `bias` to every row of `y`.
package func addBias(_ y: Matrix, _ bias: Matrix, on compute: Compute) {
  precondition(y.columns == bias.columns, "extents agree")
  compute.divide(y.rows, grain: grain(y)) { _, rows in
    unsafe ck_add(y.pointer(rows.lowerBound), y.stride, bias.pointer, 0, rows.count, y.columns)
  }
}

/// Gradient of `addBias`: `dBias[c] += Σ dy[:, c]`.
package func addBiasBackward(_ dBias: Matrix, _ dy: Matrix, on compute: Compute) {
  precondition(dy.columns == dBias.columns, "extents agree")
  unsafe sumOverThreads(dBias, rows: dy.rows, on: compute) { rows, partial in
    guard let partial = unsafe partial else { return }
    unsafe ck_add_column_sums(
      partial, dy.pointer(rows.lowerBound), dy.stride, rows.count, dy.columns)
  }
}

/// `y = sigmoid(w) ⊙ x` in every row, or `y += …` when `adding`.
///
/// - Parameters:
///   - y: `[rows, width]`; may be `x`.
///   - w: `[1, width]`.
package func multiplyBySigmoid(
  _ y: Matrix, _ x: Matrix, _ w: Matrix, adding: Bool = false, on compute: Compute
) {
  precondition(
    y.rows == x.rows && y.columns == x.columns && w.columns == x.columns, "extents agree")
  compute.divide(y.rows, grain: grain(y)) { _, rows in
    unsafe ck_multiply_by_sigmoid(
      y.pointer(rows.lowerBound), y.stride, x.pointer(rows.lowerBound), x.stride, w.pointer,
      rows.count, y.columns, adding ? 1 : 0)
  }
}

/// The gradient of w in `multiplyBySigmoid`: `dw += sigmoid'(w) ⊙ Σ dy ⊙ x`, over the rows.
package func multiplyBySigmoidBackward(
  _ dw: Matrix, _ dy: Matrix, _ x: Matrix, _ w: Matrix, on compute: Compute
) {
  precondition(
    dy.rows == x.rows && dy.columns == x.columns && w.columns == x.columns, "extents agree")
  unsafe sumOverThreads(dw, rows: dy.rows, on: compute) { rows, partial in
    guard let partial = unsafe partial else { return }
    unsafe ck_multiply_by_sigmoid_backward(
      partial, dy.pointer(rows.lowerBound), dy.stride, x.pointer(rows.lowerBound), x.stride,
      w.pointer, rows.count, dy.columns)
  }
}

/// `y = output + tanh(x) ⊙ (output − state)`.
///
/// - Parameters:
///   - y: `[rows, width]`, as all are; may be any of them.
package func gate(
  _ y: Matrix, output: Matrix, state: Matrix, _ x: Matrix, on compute: Compute
) {
  precondition(
    [output, state, x].allSatisfy { $0.rows == y.rows && $0.columns == y.columns }, "extents agree")
  compute.divide(y.rows, grain: grain(y)) { _, rows in
    let first = rows.lowerBound
    unsafe ck_gate(
      y.pointer(first), y.stride, output.pointer(first), output.stride, state.pointer(first),
      state.stride, x.pointer(first), x.stride, rows.count, y.columns)
  }
}

/// Gradients of `gate`, but for that of `output` by itself, which is `dy`.
///
/// - Parameters:
///   - x: `[rows, width]`, as all are; becomes its own gradient, `dy ⊙ change ⊙ tanh'(x)`.
///   - dChange: Becomes `dy ⊙ tanh(x)`.
///   - change: `output − state`.
package func gateBackward(
  _ x: Matrix, _ dChange: Matrix, _ dy: Matrix, change: Matrix, on compute: Compute
) {
  precondition(
    [dChange, dy, change].allSatisfy { $0.rows == x.rows && $0.columns == x.columns },
    "extents agree")
  compute.divide(x.rows, grain: grain(x)) { _, rows in
    let first = rows.lowerBound
    unsafe ck_gate_backward(
      x.pointer(first), x.stride, dChange.pointer(first), dChange.stride, dy.pointer(first),
      dy.stride, change.pointer(first), change.stride, rows.count, x.columns)
  }
}

/// `y = x`.
package func copy(_ y: Matrix, _ x: Matrix, on compute: Compute) {
  precondition(y.rows == x.rows && y.columns == x.columns, "extents agree")
  compute.divide(y.rows, grain: grain(y)) { _, rows in
    for row in rows { unsafe y.pointer(row).update(from: x.pointer(row), count: y.columns) }
  }
}

/// `y = 0`.
package func clear(_ y: Matrix, on compute: Compute) {
  compute.divide(y.rows, grain: grain(y)) { _, rows in
    for row in rows { unsafe y.pointer(row).update(repeating: 0, count: y.columns) }
  }
}

/// Rows that make a thread's share worth waking it.
func grain(_ x: Matrix) -> Int { max(1, 4096 / max(1, x.columns)) }

/// Whether every element is finite.
package func isFinite(_ x: Matrix) -> Bool {
  (0..<x.rows).allSatisfy { unsafe ck_has_non_finite(x.pointer($0), x.columns) == 0 }
}

/// Norm of `x - y` over the norm of `x`; 0 when both are zero.
package func relativeChange(_ x: Matrix, from y: Matrix) -> Double {
  precondition(x.rows == y.rows && x.columns == y.columns, "extents agree")
  var (moved, norm) = (0.0, 0.0)
  for row in 0..<x.rows {
    for column in 0..<x.columns {
      let (now, before) = (Double(x[row, column]), Double(y[row, column]))
      moved += (now - before) * (now - before)
      norm += now * now
    }
  }
  return norm == 0 ? 0 : (moved / norm).squareRoot()
}

/// Adds to the row `sum` what the threads find in their rows, in the order of the threads.
///
/// `body` gets zeroed room for its partial sums, or nil when there is no `sum`.
func sumOverThreads(
  _ sum: Matrix?, rows: Int, on compute: Compute,
  _ body: (Range<Int>, UnsafeMutablePointer<Float>?) -> Void
) {
  guard let sum else { return compute.divide(rows) { _, rows in body(rows, nil) } }
  let width = sum.columns
  // Threads without rows leave zeros behind.
  compute.run { worker in
    unsafe compute.workspace(worker, floats: width).update(repeating: 0, count: width)
  }
  compute.divide(rows) { worker, rows in
    unsafe body(rows, compute.workspace(worker, floats: width))
  }
  for worker in 0..<compute.count {
    unsafe ck_add(sum.pointer, 0, compute.workspace(worker, floats: width), 0, 1, width)
  }
}
