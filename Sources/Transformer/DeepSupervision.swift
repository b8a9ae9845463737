import Kernels
import ModelGraph
import Tensors

/// Losses of shallower states of a pass, each through coda and head as the last one's, so that every
/// depth predicts: W times their mean, beside the last one's.
package struct DeepSupervision: Equatable, Sendable {
  /// The most states; 0 for none. They lie evenly before the last, among those with gradient.
  package var depths: Int
  package var weight: Double
  /// Share of their losses that the divergence from the last state's prediction makes up, which is
  /// held constant: `(1 - share) · cross-entropy + share · KL(last ‖ shallower)`.
  package var distillation: Double

  package init(depths: Int = 0, weight: Double = 1, distillation: Double = 0) {
    self.depths = depths
    self.weight = weight
    self.distillation = distillation
  }

  /// Passes with gradient, from 1, after which the state is supervised.
  ///
  /// - Parameter steps: Passes with gradient.
  package func places(steps: Int) -> [Int] {
    let count = weight > 0 ? min(depths, steps - 1) : 0
    return count > 0 ? (1...count).map { $0 * steps / (count + 1) } : []
  }

  /// Whether the last state's prediction takes part.
  package var distils: Bool { distillation > 0 }

  /// Bytes beside those of a step that has none, but for a teacher's logits.
  ///
  /// - Parameter rowBytes: Of all rows of hidden states that run at once.
  package func byteCount(steps: Int, rowBytes: Int) -> Int {
    let count = places(steps: steps).count
    return count == 0 ? 0 : (count + 1) * rowBytes
  }
}

/// Where shallower losses leave what the backward pass of the rest picks up.
struct SupervisionRoom {
  /// `[T, h]`, what the head reads of the last state.
  let taught: Matrix
  /// `[T, h]` each, gradients of states.
  let gradients: [Matrix]

  var rows: Int { taught.rows }

  init(rows: Int, hidden: Int, count: Int) throws(MemoryError) {
    taught = try Matrix(rows: rows, columns: hidden)
    var gradients: [Matrix] = []
    for _ in 0..<count { gradients.append(try Matrix(rows: rows, columns: hidden)) }
    self.gradients = gradients
  }
}

extension TrainableModel {
  /// Runs a pass forward, with the losses of its shallower states.
  ///
  /// - Parameters:
  ///   - count: Labels of the whole batch.
  ///   - scale: Factor on the gradient of the batch's mean.
  /// - Returns: Gradients of the states after some of the passes with gradient, for `backward`.
  func forward(
    _ pass: TrainingPass, _ state: InitialState, _ labels: [Int32], of count: Int, scale: Double
  ) throws -> [Int: Matrix] {
    try pass.recur(state)
    defer { pass.finish() }
    let places = supervision.places(steps: pass.gradSteps)
    if places.isEmpty { return [:] }
    let room = try supervisionRoom(rows: pass.room.final.rows, count: places.count)
    let teacherLogits = supervision.distils ? try teacherLogits(as: pass.room.logits) : nil
    if supervision.distils { pass.keepPrediction(room.taught) }
    let weight = scale * supervision.weight / Double(count * places.count)
    var sum = 0.0
    for (place, gradient) in zip(places, room.gradients) {
      sum += pass.loss(
        ofState: place, labels, supervision, room.taught, weight: Float(weight),
        teacherLogits: teacherLogits)
      copy(gradient, pass.room.d, on: compute)
    }
    supervisionLoss = (supervisionLoss ?? 0) + sum / Double(count * places.count)
    return Dictionary(uniqueKeysWithValues: zip(places, room.gradients))
  }

  private func supervisionRoom(rows: Int, count: Int) throws(MemoryError) -> SupervisionRoom {
    if let supervisionRoom, supervisionRoom.rows == rows, supervisionRoom.gradients.count >= count {
      return supervisionRoom
    }
    supervisionRoom = nil
    let new = try SupervisionRoom(rows: rows, hidden: network.sizes.hidden, count: count)
    supervisionRoom = new
    return new
  }
}

extension TrainingPass {
  /// `taught` becomes what the head reads of the last state.
  fileprivate func keepPrediction(_ taught: Matrix) {
    runCoda(from: gradSteps, isCounted: false)
    model.network.finalNorm.apply(taught, room.final, on: model.compute)
  }

  /// Sum of the losses of the state after `step` passes with gradient; `room.d` becomes its gradient.
  ///
  /// - Parameters:
  ///   - taught: What the head reads of the last state.
  ///   - weight: Factor on the gradient.
  ///   - teacherLogits: Room for the last state's prediction, where it takes part.
  fileprivate func loss(
    ofState step: Int, _ labels: [Int32], _ supervision: DeepSupervision, _ taught: Matrix,
    weight: Float, teacherLogits: Matrix?
  ) -> Double {
    runCoda(from: step, isCounted: false)
    defer { codaBackward(to: step) }
    guard let teacherLogits else { return loss(labels, weight: weight) }
    let mix = DistillationMix(temperature: 1, mix: Float(supervision.distillation))
    let sums = distilled(
      labels, from: taught, model.network.head, model.network.logitForm, mix, weight: weight,
      teacherLogits: teacherLogits)
    return (1 - supervision.distillation) * sums.crossEntropy
      + supervision.distillation * sums.divergence
  }
}
