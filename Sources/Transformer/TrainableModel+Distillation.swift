package import Kernels
import ModelGraph

/// A model to learn from, and how much of the loss it makes up.
package struct Teacher {
  package let model: Model
  package let mix: DistillationMix

  /// - Throws: `TransformerError` when the vocabularies differ.
  package init(
    _ model: Model, for student: TrainableModel, _ mix: DistillationMix
  ) throws(TransformerError) {
    let (found, wanted) = (model.network.sizes.vocabulary, student.network.sizes.vocabulary)
    guard found == wanted else {
      throw TransformerError(.otherVocabulary(teacher: found, student: wanted))
    }
    self.model = model
    self.mix = mix
  }
}

extension TrainableModel {
  /// As `lossAndGradient`, of the loss that `teacher` has a part in; both models see the same batch.
  ///
  /// - Returns: The cross-entropy with the labels, and the divergence from the teacher.
  package func lossAndGradient(
    _ batch: Batch, labels: [Int32], from teacher: Teacher, noGradSteps: Int = 0,
    gradSteps: Int = 0, state: InitialState = .seeded(0)
  ) throws -> (labels: LossSum, teacher: LossSum) {
    let count = try check(batch, labels, passes: noGradSteps + gradSteps)
    let pass = try pass(batch, noGradSteps: noGradSteps, gradSteps: gradSteps)
    try pass.forward(state)
    let taught = try teacher.model.forward(batch, ForwardOptions(logits: .none)).normed
    if teacherLogits?.rows != pass.room.logits.rows {
      teacherLogits = nil
      teacherLogits = try Matrix(rows: pass.room.logits.rows, columns: pass.room.logits.columns)
    }
    guard let room = teacherLogits else { preconditionFailure("made above") }
    let sums = pass.loss(
      labels, teacher, taught, weight: 1 / Float(count), teacherLogits: room)
    pass.backward()
    return (
      LossSum(nats: sums.crossEntropy, count: count), LossSum(nats: sums.divergence, count: count)
    )
  }
}

extension TrainingPass {
  /// As `loss`, with a teacher whose last hidden states are `taught`.
  func loss(
    _ labels: [Int32], _ teacher: Teacher, _ taught: Matrix, weight: Float, teacherLogits: Matrix
  ) -> DistillationSums {
    lossThroughFinalNorm { dHidden, dHead in
      guard let head = model.network.head.matrix else {
        preconditionFailure("trained weights are float32")
      }
      return distillation(
        dHidden: dHidden, dHead: dHead, hidden: room.normed, head: head, teacherHidden: taught,
        teacherHead: teacher.model.network.head, labels: labels, teacher.mix, weight: weight,
        logits: room.logits, teacherLogits: teacherLogits, on: model.workers)
    }
  }
}
