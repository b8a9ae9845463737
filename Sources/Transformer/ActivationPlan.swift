import Kernels
import ModelGraph

/// How a batch is trained within a budget of memory: how many of its sequences run at once, how many
/// executions of blocks keep what their gradients read instead of computing it again, and how many
/// rows of logits exist at once.
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
  /// Rows of logits.
  package let logitRows: Int
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
    let slices = (1...max(1, sequences)).reversed().filter { sequences % $0 == 0 }
    let plans = slices.flatMap { slice in
      Self.logitRows(network, rows: slice * length).map { logitRows in
        ActivationPlan(
          network, slice: slice, length: length, steps: steps, logitRows: logitRows, budget: budget)
      }
    }
    let fitting = plans.filter { $0.byteCount <= budget }
    let best = fitting.min { $0.extraWork(network) < $1.extraWork(network) }
    self =
      best ?? plans.min { $0.byteCount < $1.byteCount }
      ?? ActivationPlan(
        network, slice: 1, length: length, steps: steps, logitRows: min(length, 16), budget: budget)
  }

  /// Bytes that logits take at most.
  package static let logitBytes = 64 << 20

  /// Even parts of all rows, in whole vectors, from the largest that `logitBytes` allow.
  private static func logitRows(_ network: Network, rows: Int) -> [Int] {
    let most = max(16, logitBytes / 4 / network.sizes.vocabulary)
    var choices: [Int] = []
    var parts = (rows + most - 1) / most
    while choices.isEmpty || rows / parts >= 32 {
      choices.append(min(rows, ((rows + parts - 1) / parts + 15) & ~15))
      parts *= 2
    }
    return choices
  }

  private init(
    _ network: Network, slice: Int, length: Int, steps: Int, logitRows: Int, budget: Int
  ) {
    sequences = slice
    rows = slice * length
    self.steps = steps
    self.logitRows = logitRows
    executions =
      network.preludeBlocks.count + steps * network.coreBlocks.count + network.codaBlocks.count
    let fixed = TrainingRoom.floatCount(
      network, rows: rows, steps: steps, logitRows: logitRows)
    let slot = Activations.floatCount(network, rows: rows)
    kept = max(1, min(executions, (budget / 4 - fixed) / slot))
    byteCount = 4 * (fixed + kept * slot)
  }

  /// Estimated work beside the least possible, in forward passes of one block.
  ///
  /// An execution that is computed again leaves out its last product, a quarter. Products of few
  /// rows are slower, by some 16 in a row's number as measured from 256 to 1024 rows; the head's are
  /// as many blocks as it has weights.
  private func extraWork(_ network: Network) -> Double {
    let again = 0.75 * Double(executions - kept)
    let head = network.headShare / Double(logitRows)
    return again + 3 * 16 * (Double(executions) / Double(rows) + head)
  }
}

extension Network {
  /// Weights of the head over those of a block's matrices.
  fileprivate var headShare: Double {
    let routed = experts.map { $0.spec.chosen * $0.spec.width }.max() ?? 0
    let block = fusedWidth + queryWidth + 3 * max(denseWidth, routed)
    return Double(sizes.vocabulary) / Double(max(1, block))
  }
}
