import Kernels
import ModelGraph
import Tensors

/// Makes the new state of the core's output c and the state s before the pass, where an injection is
/// gated: s′ = c + tanh(U D n) ⊙ (c − s), with n = (c − s) / rms(c − s). The one place that computes a
/// gate, forward and backward.
///
/// Such a model injects nothing, so that what it would inject, and that one's gradient, have room here.
package struct StateGate: Sendable {
  let down: Weight  // D, [rank, h]
  let up: Weight  // U, [h, rank]
  /// Without a weight of its own.
  private let norm: Norm

  /// - Parameter epsilon: Of the model's norms.
  init(down: Weight, up: Weight, epsilon: Double) throws(MemoryError) {
    self.down = down
    self.up = up
    norm = Norm(
      try Matrix(rows: 1, columns: down.columns), NormSpec(epsilon: epsilon, offset: 1))
  }

  private func narrow(_ room: Matrix, _ place: Int) -> Matrix {
    room.columns(place * down.rows..<(place + 1) * down.rows)
  }

  /// - Parameters:
  ///   - next: `[T, h]`, s′; may be `state` or `output`.
  ///   - output: `[T, h]`, c.
  ///   - state: `[T, h]`, s.
  ///   - wide: `[T, h]`, to work in.
  ///   - room: `[T, h]`, to work in.
  func apply(
    _ next: Matrix, output: Matrix, state: Matrix, wide: Matrix, room: Matrix, on compute: Compute
  ) {
    let middle = narrow(room, 0)
    difference(wide, output, state, on: compute)
    norm.apply(wide, wide, on: compute)
    linear(middle, wide, down, on: compute)
    linear(wide, middle, up, on: compute)
    gate(next, output: output, state: state, wide, on: compute)
  }

  private func difference(
    _ change: Matrix, _ output: Matrix, _ state: Matrix, on compute: Compute
  ) {
    copy(change, output, on: compute)
    addScaled(change, state, by: -1, on: compute)
  }

  /// What `backward` works in.
  struct Room {
    let change: Matrix  // [T, h]
    let normed: Matrix  // [T, h]
    let wide: Matrix  // [T, h]
    let narrow: Matrix  // [T, h]
  }

  /// Turns the gradient of s′ into that of c.
  ///
  /// - Parameters:
  ///   - d: `[T, h]`, overwritten.
  ///   - dChange: `[T, h]`, becomes the gradient of c − s; less it is that of s.
  ///   - gradients: Where those of D and U are added; nil where they are not trained.
  ///   - output: `[T, h]`, c.
  ///   - state: `[T, h]`, s.
  func backward(
    _ d: Matrix, _ dChange: Matrix, gradients: StateGate?, output: Matrix, state: Matrix,
    _ room: Room, on compute: Compute
  ) {
    guard let downMatrix = down.matrix, let upMatrix = up.matrix else { return }
    let (middle, dMiddle) = (narrow(room.narrow, 0), narrow(room.narrow, 1))
    difference(room.change, output, state, on: compute)
    norm.apply(room.normed, room.change, on: compute)
    linear(middle, room.normed, down, on: compute)
    linear(room.wide, middle, up, on: compute)
    gateBackward(room.wide, dChange, d, change: room.change, on: compute)
    if let gradient = gradients?.up.matrix {
      multiply(gradient, room.wide.transposed, Operand(middle), adding: true, on: compute)
    }
    multiply(dMiddle, room.wide, upMatrix, on: compute)
    if let gradient = gradients?.down.matrix {
      multiply(gradient, dMiddle.transposed, Operand(room.normed), adding: true, on: compute)
    }
    multiply(room.wide, dMiddle, downMatrix, on: compute)
    norm.backward(dChange, nil, room.wide, room.change, adding: true, on: compute)
    add(d, dChange, on: compute)
  }
}
