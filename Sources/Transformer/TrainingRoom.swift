import Kernels
import ModelGraph
import Tensors

/// All memory of a training step of `rows` tokens with at most `steps` passes with gradient.
///
/// The input of every execution of a block is kept. As many executions as the plan says, the last
/// ones, keep what else the gradient needs; the rest compute it again from their input.
struct TrainingRoom {
  let plan: ActivationPlan
  let stream: Matrix  // [T, h]
  let d: Matrix  // [T, h] gradient of the stream
  let dOther: Matrix  // [T, h]
  let embedded: Matrix  // [T, h] the prelude's output e
  let injected: Matrix  // [T, h] what e contributes to the core's input
  let dInjected: Matrix  // [T, h] its gradient, over all passes
  let normed: Matrix  // [T, h] what the head reads
  let final: Matrix  // [T, h] the last block's output
  /// States before the first pass with gradient and after each.
  let states: [Matrix]  // steps + 1 of [T, h]
  /// Outputs of the core before its norm or gate; empty where there is neither.
  let coreOutputs: [Matrix]  // steps of [T, h]
  /// Inputs of the blocks: prelude, core for each step, coda.
  let preludeInputs: [Matrix]  // [T, h] each
  let coreInputs: [[Matrix]]  // steps of [T, h] each
  let codaInputs: [Matrix]  // [T, h] each but the first's, which is the last state
  /// `[T, h]`, the last state after the final norm, where the coda reads that.
  let latent: Matrix?
  let work: Workspace
  let backward: BackwardWorkspace
  /// At least one.
  let slots: [Activations]
  let logits: Matrix  // [logitRows, V]

  /// Floats of all but the slots.
  static func floatCount(_ network: Network, rows: Int, steps: Int, logitRows: Int) -> Int {
    let outputCount = network.recurrence?.keepsOutput == true ? steps : 0
    let streams =
      8 + network.preludeBlocks.count + network.codaBlocks.count
      + steps * network.coreBlocks.count + steps + 1 + outputCount
      + (network.recurrence?.normsLatent == true ? 1 : 0)
    return streams * Arena.rounded(rows * network.sizes.hidden)
      + Workspace.floatCount(network, rows: rows)
      + BackwardWorkspace.floatCount(network, rows: rows)
      + Arena.rounded(logitRows * network.sizes.vocabulary)
  }

  init(_ network: Network, _ plan: ActivationPlan) throws(MemoryError) {
    let (rows, steps, hidden) = (plan.rows, plan.steps, network.sizes.hidden)
    let outputCount = network.recurrence?.keepsOutput == true ? steps : 0
    var arena = try Arena(floats: plan.byteCount / 4)
    func take(_ count: Int) -> [Matrix] { (0..<count).map { _ in arena.matrix(rows, hidden) } }
    self.plan = plan
    stream = arena.matrix(rows, hidden)
    d = arena.matrix(rows, hidden)
    dOther = arena.matrix(rows, hidden)
    embedded = arena.matrix(rows, hidden)
    injected = arena.matrix(rows, hidden)
    dInjected = arena.matrix(rows, hidden)
    normed = arena.matrix(rows, hidden)
    final = arena.matrix(rows, hidden)
    states = take(steps + 1)
    coreOutputs = take(outputCount)
    preludeInputs = take(network.preludeBlocks.count)
    coreInputs = (0..<steps).map { _ in take(network.coreBlocks.count) }
    codaInputs = take(max(0, network.codaBlocks.count - 1))
    latent = network.recurrence?.normsLatent == true ? arena.matrix(rows, hidden) : nil
    work = Workspace(network, rows: rows, in: &arena)
    backward = BackwardWorkspace(network, rows: rows, in: &arena)
    logits = arena.matrix(plan.logitRows, network.sizes.vocabulary)
    slots = (0..<plan.kept).map { _ in Activations(network, rows: rows, in: &arena) }
  }
}
