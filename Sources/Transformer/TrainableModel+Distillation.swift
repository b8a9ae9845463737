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
    (balanceLoss, settlingLoss, supervisionLoss) = (nil, nil, nil)
    var (own, taught) = (LossSum(nats: 0, count: count), LossSum(nats: 0, count: count))
    try forEachSlice(of: batch, noGradSteps: noGradSteps, gradSteps: gradSteps) { pass, part in
      let labels = Array(labels[part.tokens])
      if labels.allSatisfy({ $0 < 0 }) { return }
      let supervised = try forward(
        pass, state.part(part, width: network.sizes.hidden), labels, of: count, scale: scale)
      // A signal lets the step end, so the teacher's passes do not look for one.
      let hidden = try teacher.model.forward(pass.batch, ForwardOptions(logits: .none)) { _ in }
        .normed
      let source = teacher.model.network
      let sums = pass.distilled(
        labels, from: hidden, source.head, source.logitForm, teacher.mix,
        weight: Float(scale / Double(count)),
        teacherLogits: try teacherLogits(as: pass.room.logits))
      own.nats += sums.crossEntropy
      taught.nats += sums.divergence
      backward(pass, labels, of: count, scale: scale, supervised)
    }
    return (own, taught)
  }

  func teacherLogits(as logits: Matrix) throws(MemoryError) -> Matrix {
    if let teacherLogits, teacherLogits.rows == logits.rows { return teacherLogits }
    teacherLogits = nil
    let new = try Matrix(rows: logits.rows, columns: logits.columns)
    teacherLogits = new
    return new
  }
}

extension TrainingPass {
  /// As `loss`, of what labels and a teacher say together.
  ///
  /// - Parameters:
  ///   - taught: `[T, h']`, what the teacher's head reads.
  ///   - teacherLogits: Room for a chunk of its logits.
  func distilled(
    _ labels: [Int32], from taught: Matrix, _ teacherHead: Weight, _ teacherForm: LogitForm,
    _ mix: DistillationMix, weight: Float, teacherLogits: Matrix
  ) -> DistillationSums {
    lossThroughFinalNorm { dHidden, dHead in
      guard let head = model.network.head.matrix else {
        preconditionFailure("trained weights are float32")
      }
      return distillation(
        dHidden: dHidden, dHead: dHead, hidden: room.normed, head: head,
        form: model.network.logitForm, teacherHidden: taught, teacherHead: teacherHead,
        teacherForm: teacherForm, labels: labels, mix, weight: weight, logits: room.logits,
        teacherLogits: teacherLogits, on: model.compute)
    }
  }
}
