import CKernels
package import Tensors

/// Some floats of a buffer.
package struct FloatRun: Sendable {
  let buffer: Buffer
  let offset: Int
  package let count: Int

  package init(_ buffer: Buffer, at offset: Int, count: Int) {
    precondition(offset >= 0 && count >= 0 && offset + count <= buffer.floatCount, "within")
    self.buffer = buffer
    self.offset = offset
    self.count = count
  }

  package init(_ buffer: Buffer) { self.init(buffer, at: 0, count: buffer.floatCount) }

  // SAFETY: the initialiser has checked that the run lies within the buffer, which `self` keeps.
  fileprivate func pointer(_ index: Int) -> UnsafeMutablePointer<Float> {
    unsafe buffer.address.assumingMemoryBound(to: Float.self) + offset + index
  }
}

/// Elements a call of a kernel treats; sums are made of one partial sum a tile, in order, so that
/// they do not depend on the number of threads.
private let tile = 1 << 16

/// One step's constants of Adam, the same for every element.
package struct AdamStep: Sendable {
  /// On the gradients: one over what was accumulated, times the clip.
  package var gradientScale: Float
  package var beta1: Float
  package var beta2: Float
  /// On the parameters, before the update.
  package var decay: Float
  /// Learning rate / (1 - beta1^t).
  package var stepSize: Float
  /// 1 / √(1 - beta2^t), on the root of the second moment.
  package var secondScale: Float
  package var epsilon: Float

  package init(
    gradientScale: Float, beta1: Float, beta2: Float, decay: Float, stepSize: Float,
    secondScale: Float, epsilon: Float
  ) {
    self.gradientScale = gradientScale
    self.beta1 = beta1
    self.beta2 = beta2
    self.decay = decay
    self.stepSize = stepSize
    self.secondScale = secondScale
    self.epsilon = epsilon
  }

  fileprivate var constants: ck_adam {
    ck_adam(
      gradient_scale: gradientScale, beta1: beta1, beta2: beta2, decay: decay,
      step_size: stepSize, second_scale: secondScale, epsilon: epsilon)
  }
}

private func forEachTile(_ count: Int, _ compute: Compute, _ body: (Range<Int>) -> Void) {
  compute.divide(count, grain: tile) { _, range in
    for start in stride(from: range.lowerBound, to: range.upperBound, by: tile) {
      body(start..<min(start + tile, range.upperBound))
    }
  }
}

private func sumOverTiles(
  _ count: Int, _ compute: Compute, _ body: (Range<Int>) -> Double
) -> Double {
  var partial = [Double](repeating: 0, count: (count + tile - 1) / tile)
  unsafe partial.withUnsafeMutableBufferPointer { partial in
    nonisolated(unsafe) let partial = unsafe partial
    // SAFETY: every tile has an element of its own.
    forEachTile(count, compute) { unsafe partial[$0.lowerBound / tile] = body($0) }
  }
  return partial.reduce(0, +)
}

/// Σ x².
package func sumOfSquares(_ x: FloatRun, on compute: Compute) -> Double {
  sumOverTiles(x.count, compute) { unsafe ck_sum_of_squares(x.pointer($0.lowerBound), $0.count) }
}

/// One step of AdamW.
package func adamW(
  _ parameters: FloatRun, first: FloatRun, second: FloatRun, gradients: FloatRun,
  _ step: AdamStep, on compute: Compute
) {
  precondition(first.count == parameters.count && second.count == parameters.count, "extents")
  precondition(gradients.count == parameters.count, "extents")
  forEachTile(parameters.count, compute) { range in
    let i = range.lowerBound
    unsafe ck_adamw(
      parameters.pointer(i), first.pointer(i), second.pointer(i), gradients.pointer(i),
      range.count, step.constants)
  }
}

/// The moments of Adam; gives the mean of g² / v.
package func adamMoments(
  first: FloatRun, second: FloatRun, gradients: FloatRun, _ step: AdamStep, isFirst: Bool,
  on compute: Compute
) -> Double {
  precondition(first.count == gradients.count && second.count == gradients.count, "extents")
  let sum = sumOverTiles(gradients.count, compute) { range in
    let i = range.lowerBound
    return unsafe ck_adam_moments(
      first.pointer(i), second.pointer(i), gradients.pointer(i), range.count, step.constants,
      isFirst ? 1 : 0)
  }
  return sum / Double(max(gradients.count, 1))
}

/// The update of AdamW*.
package func adamAtan2(
  _ parameters: FloatRun, first: FloatRun, second: FloatRun, _ step: AdamStep,
  on compute: Compute
) {
  precondition(first.count == parameters.count && second.count == parameters.count, "extents")
  forEachTile(parameters.count, compute) { range in
    let i = range.lowerBound
    unsafe ck_adam_atan2(
      parameters.pointer(i), first.pointer(i), second.pointer(i), range.count, step.constants)
  }
}

/// Muon's momentum; `update` is overwritten with the direction to be orthogonalised. Gives Σ u².
package func muonMomentum(
  _ momentum: FloatRun, update: FloatRun, gradients: FloatRun, scale: Float,
  momentum beta: Float, isNesterov: Bool, on compute: Compute
) -> Double {
  precondition(momentum.count == gradients.count && update.count == gradients.count, "extents")
  return sumOverTiles(gradients.count, compute) { range in
    let i = range.lowerBound
    return unsafe ck_muon_momentum(
      momentum.pointer(i), update.pointer(i), gradients.pointer(i), range.count, scale,
      beta, isNesterov ? 1 : 0)
  }
}

/// `parameters ← parameters · decay - step · update`.
package func muonApply(
  _ parameters: FloatRun, update: FloatRun, decay: Float, step: Float, on compute: Compute
) {
  precondition(update.count == parameters.count, "extents")
  forEachTile(parameters.count, compute) { range in
    let i = range.lowerBound
    unsafe ck_muon_apply(parameters.pointer(i), update.pointer(i), range.count, decay, step)
  }
}

/// `x ← x · factor`.
package func scale(_ x: FloatRun, by factor: Float, on compute: Compute) {
  forEachTile(x.count, compute) {
    unsafe ck_scale(x.pointer($0.lowerBound), $0.count, factor)
  }
}

/// Each value becomes the nearest bfloat16, the even one of two.
package func roundToBfloat16(_ x: FloatRun, on compute: Compute) {
  forEachTile(x.count, compute) {
    unsafe ck_round_bf16(x.pointer($0.lowerBound), $0.count)
  }
}

/// `z ← a · x + b · y`; `z` may be `x` or `y`.
package func combine(
  _ z: FloatRun, _ x: FloatRun, _ y: FloatRun, a: Float, b: Float, on compute: Compute
) {
  precondition(x.count == z.count && y.count == z.count, "extents")
  forEachTile(z.count, compute) { range in
    let i = range.lowerBound
    unsafe ck_combine(z.pointer(i), x.pointer(i), y.pointer(i), range.count, a, b)
  }
}
