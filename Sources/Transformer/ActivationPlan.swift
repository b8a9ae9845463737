import Kernels

/// How a batch is trained within a budget of memory: how many of its sequences run at once, and how
/// many executions of blocks keep what their gradients read instead of computing it again.
///
/// A pure function of the sizes, so that a run that is resumed computes the same bits.
package struct ActivationPlan: Equatable, Sendable {
  /// Sequences that run at once; the slices of a batch follow one another.
  package let sequences: Int
  /// Tokens that run at once.
  package let rows: Int
  /// Passes through the core with gradient that there is room for.
  package let steps: Int
  /// Executions whose activations are kept; at least 1.
  package let kept: Int
  /// Executions of blocks in a step.
  package let executions: Int
  /// Bytes of everything that a step works in.
  package let byteCount: Int

  /// The plan with the least extra work among those that fit; the smallest where none fits.
  ///
  /// - Parameters:
  ///   - sequences: Of the batch.
  ///   - length: Tokens a sequence.
  ///   - budget: In bytes.
  package init(_ network: Network, sequences: Int, length: Int, steps: Int, budget: Int) {
    let plans = (1...max(1, sequences)).reversed().filter { sequences % $0 == 0 }.map {
      ActivationPlan(network, slice: $0, length: length, steps: steps, budget: budget)
    }
    let fitting = plans.filter { $0.byteCount <= budget }
    self =
      fitting.min { $0.extraWork < $1.extraWork } ?? plans.min { $0.byteCount < $1.byteCount }
      ?? ActivationPlan(network, slice: 1, length: length, steps: steps, budget: budget)
  }

  private init(_ network: Network, slice: Int, length: Int, steps: Int, budget: Int) {
    sequences = slice
    rows = slice * length
    self.steps = steps
    executions =
      network.preludeBlocks.count + steps * network.coreBlocks.count + network.codaBlocks.count
    let fixed = TrainingRoom.floatCount(network, rows: rows, steps: steps)
    let slot = Activations.floatCount(network, rows: rows)
    kept = max(1, min(executions, (budget / 4 - fixed) / slot))
    byteCount = 4 * (fixed + kept * slot)
  }

  /// Estimated work beside the least possible, in forward passes of one block.
  ///
  /// An execution that is computed again leaves out its last product, a quarter. Products of few
  /// rows are slower, by some 16 in a row's number as measured from 256 to 1024 rows.
  private var extraWork: Double {
    0.75 * Double(executions - kept) + 3 * Double(executions) * 16 / Double(rows)
  }
}
