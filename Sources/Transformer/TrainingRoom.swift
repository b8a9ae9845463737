import Kernels
import ModelGraph
import Tensors

/// All memory of a training step of `rows` tokens with at most `steps` passes with gradient.
///
/// The input of every execution of a block is kept. As many executions as the budget allows, the
/// last ones, keep what else the gradient needs; the rest compute it again from their input.
struct TrainingRoom {
  let rows: Int
  let steps: Int
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
  /// Outputs of the core before its norm; empty where there is none.
  let coreOutputs: [Matrix]  // steps of [T, h]
  /// Inputs of the blocks: prelude, core for each step, coda.
  let preludeInputs: [Matrix]  // [T, h] each
  let coreInputs: [[Matrix]]  // steps of [T, h] each
  let codaInputs: [Matrix]  // [T, h] each but the first's, which is the last state
  let work: Workspace
  let backward: BackwardWorkspace
  /// At least one.
  let slots: [Activations]
  let logits: Matrix  // [chunk, V]

  /// Bytes for one chunk of logits.
  private static let logitBytes = 64 << 20

  init(_ network: Network, rows: Int, steps: Int, budget: Int) throws(MemoryError) {
    let hidden = network.sizes.hidden
    let (prelude, core, coda) = (
      network.preludeBlocks.count, network.coreBlocks.count, network.codaBlocks.count
    )
    let normCount = network.recurrence?.coreNorm == nil ? 0 : steps
    let streams = 8 + prelude + coda + steps * core + steps + 1 + normCount
    let chunk = min(rows, max(16, Self.logitBytes / 4 / network.sizes.vocabulary & ~15))
    let fixed =
      streams * Arena.rounded(rows * hidden) + Workspace.floatCount(network, rows: rows)
      + BackwardWorkspace.floatCount(network, rows: rows)
      + Arena.rounded(chunk * network.sizes.vocabulary)
    let slot = Activations.floatCount(network, rows: rows)
    let affordable = (budget / 4 - fixed) / slot
    let slotCount = max(1, min(prelude + steps * core + coda, affordable))
    var arena = try Arena(floats: fixed + slotCount * slot)
    func take(_ count: Int) -> [Matrix] { (0..<count).map { _ in arena.matrix(rows, hidden) } }
    self.rows = rows
    self.steps = steps
    stream = arena.matrix(rows, hidden)
    d = arena.matrix(rows, hidden)
    dOther = arena.matrix(rows, hidden)
    embedded = arena.matrix(rows, hidden)
    injected = arena.matrix(rows, hidden)
    dInjected = arena.matrix(rows, hidden)
    normed = arena.matrix(rows, hidden)
    final = arena.matrix(rows, hidden)
    states = take(steps + 1)
    coreOutputs = take(normCount)
    preludeInputs = take(prelude)
    coreInputs = (0..<steps).map { _ in take(core) }
    codaInputs = take(max(0, coda - 1))
    work = Workspace(network, rows: rows, in: &arena)
    backward = BackwardWorkspace(network, rows: rows, in: &arena)
    logits = arena.matrix(chunk, network.sizes.vocabulary)
    slots = (0..<slotCount).map { _ in Activations(network, rows: rows, in: &arena) }
  }
}
