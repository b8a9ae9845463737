import CKernels

/// `y = silu(gate) * up`, where each row of `gateUp` is gate then up.
///
/// - Parameters:
///   - y: `[rows, m]`.
///   - gateUp: `[rows, 2m]`, contiguous.
package func swiGLU(_ y: Matrix, _ gateUp: Matrix, on workers: Workers) {
  check(y, gateUp)
  workers.divide(y.rows, grain: grain(y)) { _, rows in
    unsafe ck_swiglu(
      y.pointer(rows.lowerBound), y.stride, gateUp.pointer(rows.lowerBound), rows.count, y.columns)
  }
}

/// Gradient of `swiGLU`; `y` is computed again on the way.
///
/// - Parameters:
///   - dGateUp: `[rows, 2m]`, overwritten; may be `gateUp`.
///   - y: `[rows, m]`, overwritten; may be `dy`.
package func swiGLUBackward(
  _ dGateUp: Matrix, _ y: Matrix, _ dy: Matrix, _ gateUp: Matrix, on workers: Workers
) {
  check(y, gateUp)
  check(dy, dGateUp)
  workers.divide(y.rows, grain: grain(y)) { _, rows in
    let start = rows.lowerBound
    unsafe ck_swiglu_backward(
      dGateUp.pointer(start), y.pointer(start), dy.pointer(start), gateUp.pointer(start),
      rows.count, y.columns)
  }
}

private func check(_ y: Matrix, _ gateUp: Matrix) {
  precondition(y.rows == gateUp.rows && gateUp.columns == 2 * y.columns, "two halves to a row")
  precondition(y.isContiguous && gateUp.isContiguous, "contiguous rows")
}
