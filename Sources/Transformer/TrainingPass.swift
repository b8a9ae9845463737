import Kernels
import ModelGraph

/// One training step of a batch: forward with what the gradient needs, then backward.
///
/// Executions of blocks are numbered in order: prelude, the passes with gradient, coda.
struct TrainingPass {
  let model: TrainableModel
  let context: BlockContext
  let room: TrainingRoom
  let batch: Batch
  let noGradSteps: Int
  let gradSteps: Int
  /// Nil where no loss balances experts.
  let balance: ExpertBalance?

  private var network: Network { model.network }
  private var compute: Compute { model.compute }

  private var executionCount: Int {
    network.preludeBlocks.count + gradSteps * network.coreBlocks.count + network.codaBlocks.count
  }

  /// Executions before this one compute their activations again.
  private var firstKept: Int { max(0, executionCount - room.slots.count) }

  private func slot(_ execution: Int) -> Activations {
    room.slots[max(0, execution - firstKept)]
  }

  private func execution(core step: Int, _ i: Int) -> Int {
    network.preludeBlocks.count + step * network.coreBlocks.count + i
  }

  private func execution(coda i: Int) -> Int { execution(core: gradSteps, 0) + i }

  // MARK: Forward

  /// Fills `room.final`.
  func forward(_ state: InitialState) throws(TransformerError) {
    try recur(state)
    finish()
  }

  /// Runs the prelude and all passes; all blocks of a plain network.
  func recur(_ state: InitialState) throws(TransformerError) {
    runPrelude()
    guard let recurrence = network.recurrence else { return }
    try state.fill(
      room.states[0], embedded: room.embedded, recurrence.start, context.visibility,
      firstSequence: batch.firstSequence, on: compute)
    for step in 0..<noGradSteps { passWithoutGradient(recurrence, isFirst: step == 0) }
    for step in 0..<gradSteps { pass(recurrence, step) }
  }

  /// Runs the coda from the last state.
  func finish() {
    if network.recurrence != nil { runCoda(from: gradSteps) }
  }

  /// Fills `room.final` from the state after `step` passes with gradient.
  ///
  /// - Parameter isCounted: Whether its experts' loads are among those that are balanced.
  func runCoda(from step: Int, isCounted: Bool = true) {
    if let latent = room.latent {
      network.finalNorm.apply(latent, room.states[step], on: compute)
    }
    let inputs = codaInputs(step)
    if network.codaBlocks.isEmpty { return copy(room.final, inputs[0], on: compute) }
    run(
      network.codaBlocks, inputs, to: room.final, from: execution(coda: 0), isCounted: isCounted)
  }

  private func codaInputs(_ step: Int) -> [Matrix] {
    [room.latent ?? room.states[step]] + room.codaInputs
  }

  /// Runs all blocks of a plain network; else the prelude, and prepares what it injects.
  func runPrelude() {
    let output = network.recurrence == nil ? room.final : room.embedded
    let first = room.preludeInputs.first ?? output
    network.embed(first, batch.tokens, on: compute)
    run(network.preludeBlocks, room.preludeInputs, to: output, from: 0)
    network.recurrence?.injector.prepare(room.injected, room.embedded, on: compute)
  }

  /// Runs blocks, each from its input to the next one's, the last to `output`.
  private func run(
    _ blocks: Range<Int>, _ inputs: [Matrix], to output: Matrix, from first: Int,
    isCounted: Bool = true
  ) {
    for (i, block) in blocks.enumerated() {
      let target = i + 1 < blocks.count ? inputs[i + 1] : output
      context.forward(
        network.blocks[block], target, inputs[i], keeping: slot(first + i), room.work)
      if isCounted { balance?.add(network.blocks[block], slot(first + i)) }
    }
  }

  /// The state in `room.states[0]` moves on by one pass, in place.
  private func passWithoutGradient(_ recurrence: Network.Recurrence, isFirst: Bool) {
    // The last slot's own execution is still to come.
    let slot = room.slots[room.slots.count - 1]
    recurrence.injector.inject(
      room.stream, room.states[0], room.injected, isFirst: isFirst, on: compute)
    for block in recurrence.core {
      context.forward(
        network.blocks[block], room.dOther, room.stream, keeping: slot, room.work)
      balance?.add(network.blocks[block], slot)
      copy(room.stream, room.dOther, on: compute)
    }
    finish(room.states[0], room.stream, from: room.states[0], recurrence)
  }

  /// The pass `step` with gradient, from `room.states[step]` to the next.
  func pass(_ recurrence: Network.Recurrence, _ step: Int) {
    let inputs = room.coreInputs[step]
    recurrence.injector.inject(
      inputs[0], room.states[step], room.injected, isFirst: isFirst(step), on: compute)
    let output = recurrence.keepsOutput ? room.coreOutputs[step] : room.states[step + 1]
    run(recurrence.core, inputs, to: output, from: execution(core: step, 0))
    if recurrence.keepsOutput {
      finish(room.states[step + 1], output, from: room.states[step], recurrence)
    }
  }

  /// Makes the new state of the core's output; it may take the place of the one before.
  private func finish(
    _ next: Matrix, _ output: Matrix, from state: Matrix, _ recurrence: Network.Recurrence
  ) {
    recurrence.finish(
      next, output, from: state, wide: room.normed, room: room.injected, on: compute)
  }

  // MARK: Loss

  /// Sum of the losses of `room.final`; `room.d` becomes its gradient.
  func loss(_ labels: [Int32], weight: Float) -> Double {
    lossThroughFinalNorm { dHidden, dHead in
      crossEntropy(
        dHidden: dHidden, dHead: dHead, hidden: room.normed, head: network.head,
        form: network.logitForm, labels: labels, weight: weight, logits: room.logits, on: compute)
    }
  }

  /// What the head reads, `[T, h]`.
  func normedFinal() -> Matrix {
    network.finalNorm.apply(room.normed, room.final, on: compute)
    return room.normed
  }

  /// Takes the gradient that `head` computes of `room.normed` back to `room.d`.
  ///
  /// - Parameter head: Fills the gradient of `room.normed`, and adds to that of the head's weight
  ///   when it is wanted.
  func lossThroughFinalNorm<Sums>(_ head: (_ dHidden: Matrix, _ dHead: Matrix?) -> Sums) -> Sums {
    let gradients = model.gradientNetwork
    let headRole: Field.Role = model.graph.head == nil ? .embedding : .head
    _ = normedFinal()
    let sums = head(
      room.dOther, model.trained.contains(headRole) ? gradients.head.matrix : nil)
    network.finalNorm.backward(
      room.d, model.trained.contains(.finalNorm) ? gradients.finalNorm : nil, room.dOther,
      room.final, on: compute)
    return sums
  }

  // MARK: Backward

  /// Takes `room.d` from the last block's output to the embedding, adding to all gradients.
  ///
  /// - Parameters:
  ///   - weight: Of the loss that balances experts, beside its coefficient.
  ///   - settling: What `SettlingPenalty` says of each row; nil where nothing is penalised.
  ///   - supervised: Gradients, of losses of their own, of the states after some passes with gradient.
  func backward(
    balanceWeight weight: Double, settling: [Float]? = nil, supervised: [Int: Matrix] = [:]
  ) {
    let balance = balance?.gradient(weight: weight) ?? []
    model.stageCompleted?(.output)
    if let recurrence = network.recurrence {
      codaBackward(to: gradSteps, balance, completes: true)
      if gradSteps == 0 { return }
      for step in (0..<gradSteps).reversed() {
        let isLast = step == gradSteps - 1
        if isLast, let settling { addStep(settling, to: step + 1, from: step) }
        passBackward(recurrence, step, balance)
        if let own = supervised[step] { add(room.d, own, on: compute) }
        // Where no gradient goes on, the state before is a constant.
        if isLast, step > 0, let settling { addStep(settling, to: step, from: step + 1) }
      }
      injectionBackward(recurrence)
      model.stageCompleted?(.injection)
    }
    guard model.isPreludeTrained else { return }
    backward(network.preludeBlocks, room.preludeInputs, from: 0, balance)
    if model.trained.contains(.embedding), let dTable = model.gradientNetwork.embedding.matrix {
      let factor = Float(network.spec.embeddingMultiplier)
      if factor != 1 { scale(room.d, by: factor, on: compute) }
      embedBackward(dTable, room.d, tokens: batch.tokens, on: compute)
    }
    model.stageCompleted?(.embedding)
  }

  /// Takes `room.d` from the coda's output to the state after `step` passes with gradient.
  ///
  /// - Parameter completes: Whether the coda does not run again before this.
  func codaBackward(to step: Int, _ balance: [Float] = [], completes: Bool = false) {
    backward(
      network.codaBlocks, codaInputs(step), from: execution(coda: 0), balance,
      completes: completes)
    if room.latent != nil {
      network.finalNorm.backward(
        room.d, model.trained.contains(.finalNorm) ? model.gradientNetwork.finalNorm : nil,
        room.d, room.states[step], on: compute)
    }
  }

  /// `room.d`, the gradient of state `place`, gets the penalty's: each row's factor times the way to
  /// it from the other state.
  private func addStep(_ factors: [Float], to place: Int, from other: Int) {
    addDifferences(
      room.d, room.states[place], room.states[other], factors: factors, on: compute)
  }

  /// - Parameter completes: Whether the blocks do not run again before this.
  private func backward(
    _ blocks: Range<Int>, _ inputs: [Matrix], from first: Int, _ balance: [Float],
    completes: Bool = true
  ) {
    for (i, block) in blocks.enumerated().reversed() {
      let kept = slot(first + i)
      if first + i < firstKept { recompute(network.blocks[block], inputs[i], keeping: kept) }
      context.backward(
        model.gradient(block), room.d, inputs[i], kept: kept, room.work, room.backward,
        balance: balance)
      if completes { model.stageCompleted?(.block(block)) }
    }
  }

  /// What the gradient reads of a block, again; its output is not needed.
  private func recompute(_ block: BlockWeights, _ x: Matrix, keeping kept: Activations) {
    if block.mlpOutputNorm != nil || block.mlpSumNorm != nil {
      // The norm after the MLP wants the MLP's result.
      context.forward(block, room.dOther, x, keeping: kept, room.work)
    } else {
      context.attend(block, x, keeping: kept, room.work)
      context.expand(block, keeping: kept, room.work)
    }
  }

  /// Takes `room.d` from the state after a pass to what was injected into the core.
  func coreBackward(_ recurrence: Network.Recurrence, _ step: Int, _ balance: [Float]) {
    if let norm = recurrence.coreNorm {
      norm.backward(
        room.d,
        model.trained.contains(.coreNorm) ? model.gradientNetwork.recurrence?.coreNorm : nil,
        room.d, room.coreOutputs[step], on: compute)
    }
    recurrence.gate?.backward(
      room.d, room.dInjected,
      gradients: trainsInjection ? model.gradientNetwork.recurrence?.gate : nil,
      output: room.coreOutputs[step], state: room.states[step],
      StateGate.Room(
        change: room.stream, normed: room.normed, wide: room.dOther, narrow: room.injected),
      on: compute)
    if step == 0 { model.stageCompleted?(.coreNorm) }
    backward(
      recurrence.core, room.coreInputs[step], from: execution(core: step, 0), balance,
      completes: step == 0)
    // The core's input is the state, which the gate compares with the output.
    if recurrence.gate != nil { addScaled(room.d, room.dInjected, by: -1, on: compute) }
  }

  private func passBackward(
    _ recurrence: Network.Recurrence, _ step: Int, _ balance: [Float]
  ) {
    coreBackward(recurrence, step, balance)
    if recurrence.injector.kind.readsPrelude {
      if step == gradSteps - 1 {
        copy(room.dInjected, room.d, on: compute)
      } else {
        add(room.dInjected, room.d, on: compute)
      }
    }
    if let gradients = injectorGradients {
      recurrence.injector.addStateGradients(
        to: gradients, room.d, room.states[step], on: compute)
    }
    // A norm that later passes meet has a gradient even where none goes on to the state.
    if step > 0 || startsFromEmbedding(recurrence) || recurrence.injector.kind == .carry {
      recurrence.injector.stateBackward(
        room.d, room.states[step], isFirst: isFirst(step),
        gradients: model.trained.contains(.finalNorm)
          ? model.gradientNetwork.recurrence?.injector : nil, room: room.dOther, on: compute)
    }
  }

  /// Whether no pass goes before the pass `step` with gradient.
  private func isFirst(_ step: Int) -> Bool { step == 0 && noGradSteps == 0 }

  /// Where the gradients of the injection's parameters go; nil where these are not trained.
  private var injectorGradients: Injector? {
    trainsInjection ? model.gradientNetwork.recurrence?.injector : nil
  }

  private var trainsInjection: Bool {
    model.trained.contains { if case .injection = $0 { true } else { false } }
  }

  /// Whether a gradient flows through s₀ into the prelude: not where passes without gradient stand
  /// between.
  private func startsFromEmbedding(_ recurrence: Network.Recurrence) -> Bool {
    recurrence.start == .embedding && noGradSteps == 0
  }

  /// `room.d` becomes the gradient of the prelude's output, over all injections.
  private func injectionBackward(_ recurrence: Network.Recurrence) {
    if let gradients = injectorGradients {
      recurrence.injector.addPreludeGradients(
        to: gradients, room.dInjected, room.embedded, on: compute)
    }
    recurrence.injector.preludeBackward(
      room.d, room.dInjected, adding: startsFromEmbedding(recurrence), on: compute)
  }
}
