import CKernels

/// The unit of a gated MLP.
package enum ActivationKind: Sendable {
  case silu
  case gelu
  case geluTanh
}

/// `y = activation(gate) * up`, where each row of `gateUp` is gate then up.
///
/// - Parameters:
///   - y: `[rows, m]`.
///   - gateUp: `[rows, 2m]`, contiguous.
package func gated(
  _ y: Matrix, _ gateUp: Matrix, by kind: ActivationKind, on compute: Compute
) {
  check(y, gateUp)
  let kernel =
    switch kind {
    case .silu: unsafe ck_swiglu
    case .gelu: unsafe ck_geglu
    case .geluTanh: unsafe ck_geglu_tanh
    }
  compute.divide(y.rows, grain: grain(y)) { _, rows in
    unsafe kernel(
      y.pointer(rows.lowerBound), y.stride, gateUp.pointer(rows.lowerBound), rows.count, y.columns)
  }
}

/// Gradient of `gated`; `y` is computed again on the way.
///
/// - Parameters:
///   - dGateUp: `[rows, 2m]`, overwritten; may be `gateUp`.
///   - y: `[rows, m]`, overwritten; may be `dy`.
package func gatedBackward(
  _ dGateUp: Matrix, _ y: Matrix, _ dy: Matrix, _ gateUp: Matrix, by kind: ActivationKind,
  on compute: Compute
) {
  check(y, gateUp)
  check(dy, dGateUp)
  let kernel =
    switch kind {
    case .silu: unsafe ck_swiglu_backward
    case .gelu: unsafe ck_geglu_backward
    case .geluTanh: unsafe ck_geglu_tanh_backward
    }
  compute.divide(y.rows, grain: grain(y)) { _, rows in
    let start = rows.lowerBound
    unsafe kernel(
      dGateUp.pointer(start), y.pointer(start), dy.pointer(start), gateUp.pointer(start),
      rows.count, y.columns)
  }
}

private func check(_ y: Matrix, _ gateUp: Matrix) {
  precondition(y.rows == gateUp.rows && gateUp.columns == 2 * y.columns, "two halves to a row")
  precondition(y.isContiguous && gateUp.isContiguous, "contiguous rows")
}
