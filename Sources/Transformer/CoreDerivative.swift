import Kernels

/// The derivative J of the core's map from state to state, at a state and on a text: products with its
/// transpose, by the backward pass that training takes.
///
/// J joins all tokens of the text. A token's next state depends on the states of the tokens before it
/// and not on those after, so the eigenvalues of J are those of each token's own part.
package struct CoreDerivative {
  private let pass: TrainingPass
  private let recurrence: Network.Recurrence

  fileprivate init(_ pass: TrainingPass, _ recurrence: Network.Recurrence) {
    self.pass = pass
    self.recurrence = recurrence
    pass.runPrelude()
  }

  /// The state at which the derivative is taken, `[T, h]`; not the first, from which some models go on
  /// by a rule of its own.
  package func move(to state: [Float]) { pass.room.states[0].assign(state) }

  /// `Jᵀ v`.
  ///
  /// - Parameter v: `[T, h]`.
  package func transposedProduct(_ v: [Float]) -> [Float] {
    let room = pass.room
    // The backward pass overwrites what the forward pass keeps, so that each product has its own.
    pass.pass(recurrence, 0)
    room.d.assign(v)
    pass.coreBackward(recurrence, 0, [])
    recurrence.injector.stateBackward(
      room.d, room.states[0], isFirst: false, gradients: nil, room: room.dOther,
      on: pass.model.compute)
    return room.d.floats
  }
}

extension TrainableModel {
  /// Calls `body` with the core's derivative on one sequence.
  ///
  /// - Throws: `TransformerError` for a model without recurrence and for tokens that it cannot take,
  ///   and what `body` throws.
  package func withCoreDerivative(
    on batch: Batch, _ body: (CoreDerivative) throws -> Void
  ) throws {
    precondition(batch.sequences == 1 && trained.isEmpty, "one sequence, and nothing to be trained")
    guard let recurrence = network.recurrence else { throw TransformerError(.notRecurrent) }
    try batch.check(network)
    // One pass without gradient stands for all before: the state is no first one.
    try forEachSlice(of: batch, noGradSteps: 1, gradSteps: 1) { pass, _ in
      try body(CoreDerivative(pass, recurrence))
    }
  }
}
