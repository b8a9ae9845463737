package import Kernels
import Platform
package import Tensors

/// Updates parameters from their gradients, and keeps the moments that this needs.
///
/// State beside the parameters: a first moment each, and a second one for those under Adam.
package final class Optimizer {
  package let settings: OptimizerSettings
  /// First moments, or Muon's momentum: the tensors one after another.
  package let first: Buffer
  /// Second moments of the tensors under Adam, one after another.
  package let second: Buffer
  /// Steps applied so far.
  package var stepCount = 0

  private let slots: [Slot]
  private let compute: Compute
  private let orthogonaliser: NewtonSchulz?
  private let update: Buffer  // of one body matrix

  private struct Slot {
    var tensor: TrainedTensor
    var first: Int
    var second: Int?
  }

  package init(
    _ settings: OptimizerSettings, tensors: [TrainedTensor], on compute: Compute
  ) throws(MemoryError) {
    self.settings = settings
    self.compute = compute
    var slots: [Slot] = []
    var firsts = 0
    var seconds = 0
    var matrices: [[Int]] = []
    for tensor in tensors {
      let isMuon = settings.takesMuon(tensor)
      slots.append(Slot(tensor: tensor, first: firsts, second: isMuon ? nil : seconds))
      firsts += tensor.elementCount
      if isMuon { matrices.append(tensor.shape) } else { seconds += tensor.elementCount }
    }
    self.slots = slots
    first = try Buffer(floats: firsts)
    second = try Buffer(floats: seconds)
    update = try Buffer(floats: matrices.map { $0.reduce(1, &*) }.max() ?? 0)
    orthogonaliser = matrices.isEmpty ? nil : try NewtonSchulz(shapes: matrices)
  }

  /// Bytes that an optimizer keeps from step to step, and those it works in.
  package static func byteCounts(
    _ settings: OptimizerSettings, _ tensors: [TrainedTensor]
  ) -> (state: Int, work: Int) {
    var (floats, matrices) = (0, [[Int]]())
    for tensor in tensors {
      let isMuon = settings.takesMuon(tensor)
      floats += (isMuon ? 1 : 2) * tensor.elementCount
      if isMuon { matrices.append(tensor.shape) }
    }
    let update = matrices.map { $0.reduce(1, &*) }.max() ?? 0
    return (4 * floats, 4 * (update + NewtonSchulz.floatCount(matrices)))
  }

  /// Euclidean norm of the trained tensors' gradients.
  package func norm(of gradients: Buffer) -> Double {
    var sum = 0.0
    for slot in slots { sum += sumOfSquares(run(gradients, slot), on: compute) }
    return sum.squareRoot()
  }

  /// Applies one step.
  ///
  /// - Parameters:
  ///   - gradientScale: Factor on all gradients: one over what was accumulated, times the clip.
  ///   - rate: Factor on the learning rates, from the schedule.
  package func step(
    parameters: Buffer, gradients: Buffer, gradientScale: Double, rate: Double
  ) {
    stepCount += 1
    for slot in slots {
      let target = run(parameters, slot)
      let gradient = run(gradients, slot)
      if let offset = slot.second {
        let second = FloatRun(second, at: offset, count: slot.tensor.elementCount)
        adam(slot, target, second, gradient, Float(gradientScale), rate)
      } else {
        muon(slot, target, gradient, Float(gradientScale), rate)
      }
    }
  }

  private func run(_ buffer: Buffer, _ slot: Slot) -> FloatRun {
    FloatRun(buffer, at: slot.tensor.offset, count: slot.tensor.elementCount)
  }

  private func firstMoment(_ slot: Slot) -> FloatRun {
    FloatRun(first, at: slot.first, count: slot.tensor.elementCount)
  }

  private func adam(
    _ slot: Slot, _ target: FloatRun, _ second: FloatRun, _ gradient: FloatRun,
    _ gradientScale: Float, _ rate: Double
  ) {
    let adam = settings.adam
    let t = Double(stepCount)
    let learningRate = adam.learningRate * rate
    // AdamW* decays by a share that does not depend on the learning rate's peak.
    let decay = settings.kind == .adamwAtan2 ? rate : learningRate
    let stepSize = learningRate / (1 - pow(adam.beta1, t))
    var step = AdamStep(
      gradientScale: gradientScale, beta1: Float(adam.beta1), beta2: Float(adam.beta2),
      decay: Float(1 - decay * adam.weightDecay), stepSize: Float(stepSize),
      secondScale: Float(1 / (1 - pow(adam.beta2, t)).squareRoot()),
      epsilon: Float(adam.epsilon))
    let first = firstMoment(slot)
    guard settings.kind == .adamwAtan2 else {
      return adamW(
        target, first: first, second: second, gradients: gradient, step, on: compute)
    }
    let ratio = adamMoments(
      first: first, second: second, gradients: gradient, step, isFirst: stepCount == 1,
      on: compute)
    step.stepSize = Float(stepSize / max(1, ratio.squareRoot()))
    adamAtan2(target, first: first, second: second, step, on: compute)
  }

  private func muon(
    _ slot: Slot, _ target: FloatRun, _ gradient: FloatRun, _ gradientScale: Float, _ rate: Double
  ) {
    guard let orthogonaliser else { return }
    let (rows, columns) = (slot.tensor.shape[0], slot.tensor.shape[1])
    let direction = FloatRun(update, at: 0, count: target.count)
    let sum = muonMomentum(
      firstMoment(slot), update: direction, gradients: gradient, scale: gradientScale,
      momentum: Float(settings.muon.momentum), isNesterov: settings.muon.isNesterov,
      on: compute)
    orthogonaliser.orthogonalise(
      update, rows: rows, columns: columns, sumOfSquares: sum, on: compute)
    let learningRate = settings.muon.learningRate * rate
    let shape = max(1, Double(rows) / Double(columns)).squareRoot()
    muonApply(
      target, update: direction, decay: Float(1 - learningRate * settings.muon.weightDecay),
      step: Float(learningRate * shape), on: compute)
  }
}
