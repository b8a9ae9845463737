package import Tensors
package import Transformer

/// What the trainer needs of a model: flat buffers, and a loss with its gradient.
package protocol TrainingModel: AnyObject {
  /// Float32; those that are trained come first.
  var parameters: Buffer { get }
  /// Of the parameters that are trained, at the same places.
  var gradients: Buffer { get }
  var tensors: [TrainedTensor] { get }
  /// Whether there is a core to repeat; recurrences mean nothing otherwise.
  var isRecurrent: Bool { get }
  /// Whether a teacher has a part in the loss.
  var hasTeacher: Bool { get }
  /// Ranges of `gradients`, in the order in which `accumulate` completes them; the same for every
  /// batch. Trained tensors that are in none are complete when it returns.
  var gradientStages: [[Range<Int>]] { get }

  /// From now on `accumulate` tells `observer` when it adds nothing more to a stage and to those
  /// before it; stages that are not told of are complete when it returns. nil ends this.
  func observeStages(_ observer: ((_ stage: Int) -> Void)?)

  /// The mean loss over the labels of a micro-batch, of which there is at least one; its gradient,
  /// times `scale`, is added to `gradients`.
  ///
  /// - Parameters:
  ///   - draw: Passes through the core without and with gradient.
  ///   - stateSeed: Seed of the random initial state.
  ///   - scale: The micro-batch's share of the step's labels.
  func accumulate(
    _ batch: TokenBatch, _ draw: RecurrenceDraw, stateSeed: UInt64, scale: Double
  ) throws -> MicroBatchLoss

  /// The loss of each row of a batch, without gradients.
  ///
  /// - Parameter recurrence: nil for a model that is not recurrent.
  func losses(_ batch: TokenBatch, recurrence: Int?, stateSeed: UInt64) throws -> [LossSum]

  /// Called when trained parameters have changed, after a step or a resume.
  func parametersChanged() throws
}

/// Means over the labels of a micro-batch, in nats.
package struct MicroBatchLoss: Equatable, Sendable {
  package var crossEntropy: Double
  /// From the teacher, of the softened distributions; nil without one.
  package var divergence: Double?
  /// ‖s_r - s_{r-1}‖² / ‖s_{r-1}‖² of the last pass; nil where it is not penalised.
  package var settling: Double?
  /// Of the shallower states; nil where none is supervised.
  package var supervision: Double?

  package init(
    _ crossEntropy: Double, divergence: Double? = nil, settling: Double? = nil,
    supervision: Double? = nil
  ) {
    self.crossEntropy = crossEntropy
    self.divergence = divergence
    self.settling = settling
    self.supervision = supervision
  }

  /// Adds the means over some of the labels, `share` of all.
  mutating func add(_ other: MicroBatchLoss, share: Double) {
    crossEntropy += share * other.crossEntropy
    func sum(_ a: Double?, _ b: Double?) -> Double? { b.map { (a ?? 0) + share * $0 } ?? a }
    divergence = sum(divergence, other.divergence)
    settling = sum(settling, other.settling)
    supervision = sum(supervision, other.supervision)
  }
}

extension TrainingModel {
  package var gradientStages: [[Range<Int>]] { [[0..<gradients.floatCount]] }

  package var hasTeacher: Bool { false }

  package func observeStages(_ observer: ((_ stage: Int) -> Void)?) {}
}
