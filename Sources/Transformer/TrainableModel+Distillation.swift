package import Kernels
import ModelGraph
import Tensors

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

  /// Bytes of its weights and of a chunk of its logits.
  package var byteCount: Int {
    let parameters = model.graph.parameters.reduce(0) { sum, parameter in
      sum + parameter.elementCount * ([.bf16, .f16].contains(parameter.type) ? 2 : 4)
    }
    return parameters + ActivationPlan.logitBytes
  }
}

extension TrainableModel {
  /// As `lossAndGradient`, of the loss that `teacher` has a part in; both models see the same batch.
  ///
  /// - Returns: The cross-entropy with the labels, and the divergence from the teacher.
  package func lossAndGradient(
    _ batch: Batch, labels: [Int32], from teacher: Teacher, noGradSteps: Int = 0,
    gradSteps: Int = 0, state: InitialState = .seeded(0), scale: Double = 1
  ) throws -> (labels: LossSum, teacher: LossSum) {
    let count = try check(batch, labels, state, passes: noGradSteps + gradSteps)
    (balanceLoss, settlingLoss) = (nil, nil)
    var (own, taught) = (LossSum(nats: 0, count: count), LossSum(nats: 0, count: count))
    try forEachSlice(of: batch, noGradSteps: noGradSteps, gradSteps: gradSteps) { pass, part in
      let labels = Array(labels[part.tokens])
      if labels.allSatisfy({ $0 < 0 }) { return }
      try pass.forward(state.part(part, width: network.sizes.hidden))
      // A signal lets the step end, so the teacher's passes do not look for one.
      let hidden = try teacher.model.forward(pass.batch, ForwardOptions(logits: .none)) { _ in }
        .normed
      let sums = pass.loss(
        labels, teacher, hidden, weight: Float(scale / Double(count)),
        teacherLogits: try teacherLogits(as: pass.room.logits))
      own.nats += sums.crossEntropy
      taught.nats += sums.divergence
      backward(pass, labels, of: count, scale: scale)
    }
    return (own, taught)
  }

  private func teacherLogits(as logits: Matrix) throws(MemoryError) -> Matrix {
    if let teacherLogits, teacherLogits.rows == logits.rows { return teacherLogits }
    teacherLogits = nil
    let new = try Matrix(rows: logits.rows, columns: logits.columns)
    teacherLogits = new
    return new
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
        dHidden: dHidden, dHead: dHead, hidden: room.normed, head: head,
        form: model.network.logitForm, teacherHidden: taught,
        teacherHead: teacher.model.network.head, teacherForm: teacher.model.network.logitForm,
        labels: labels, teacher.mix, weight: weight, logits: room.logits,
        teacherLogits: teacherLogits, on: model.compute)
    }
  }
}
