import Kernels

/// The penalty on a state that moves: the mean over learned tokens of ‖s_r - s_{r-1}‖² / ‖s_{r-1}‖².
///
/// The denominator is held constant, so that a state does not grow to have a smaller step. A core
/// that is trained so is safe to run for longer: its state comes to rest.
struct SettlingPenalty {
  /// Of the rows at hand, in a mean over the labels of the whole batch.
  let loss: Double
  /// The derivative by s_r of each row is this times s_r - s_{r-1}; 0 where no label counts.
  private let derivatives: [Double]

  /// - Parameters:
  ///   - state, before: `[T, h]`.
  ///   - count: Labels that count in the whole batch.
  init(_ state: Matrix, from before: Matrix, _ labels: [Int32], of count: Int) {
    var (loss, derivatives) = (0.0, [Double](repeating: 0, count: labels.count))
    for (row, label) in labels.enumerated() where label >= 0 {
      var (moved, norm) = (0.0, 0.0)
      for column in 0..<state.columns {
        let (now, old) = (Double(state[row, column]), Double(before[row, column]))
        moved += (now - old) * (now - old)
        norm += old * old
      }
      // A state of zeros has no size to compare a step with.
      guard norm > 0 else { continue }
      loss += moved / norm / Double(count)
      derivatives[row] = 2 / norm / Double(count)
    }
    self.loss = loss
    self.derivatives = derivatives
  }

  func factors(weight: Double) -> [Float] { derivatives.map { Float(weight * $0) } }
}

extension TrainingPass {
  /// The penalty on the last pass; nil where there is no gradient, or no pass before it: a first state
  /// is no place to rest.
  func settling(_ labels: [Int32], of count: Int) -> SettlingPenalty? {
    guard gradSteps > 0, noGradSteps + gradSteps > 1 else { return nil }
    return SettlingPenalty(
      room.states[gradSteps], from: room.states[gradSteps - 1], labels, of: count)
  }
}
