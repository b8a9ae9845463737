import Kernels
import ModelGraph

/// The loss that keeps the experts' loads even: E · Σₑ fₑ · pₑ over all rows of all executions of
/// blocks with experts in a pass, fₑ the rows that chose expert e and pₑ the sum of its
/// probabilities, each over the number of rows (Fedus et al. 2021, section 2.2).
///
/// A block of the core counts once for each pass through the core, those without gradient among
/// them: they are loads too, but no gradient flows through their probabilities. Only p has a
/// gradient.
final class ExpertBalance {
  let spec: ExpertSpec
  private var counts: [Double]
  private var probabilities: [Double]
  private var rows = 0.0

  /// Nil where no block asks for it.
  init?(_ network: Network) {
    guard let spec = network.experts.first(where: { $0.spec.balance > 0 })?.spec else { return nil }
    self.spec = spec
    counts = [Double](repeating: 0, count: spec.count)
    probabilities = counts
  }

  /// Counts one execution of a block; one without experts counts nothing.
  func add(_ block: BlockWeights, _ kept: Activations) {
    guard let own = block.experts?.spec, own.count == spec.count, let experts = kept.experts else {
      return
    }
    let matrix = experts.probabilities(own)
    for expert in Routing(matrix, chosen: own.chosen).experts { counts[expert] += 1 }
    for row in 0..<matrix.rows {
      for expert in probabilities.indices { probabilities[expert] += Double(matrix[row, expert]) }
    }
    rows += Double(matrix.rows)
  }

  /// Without its coefficient.
  var loss: Double {
    guard rows > 0 else { return 0 }
    let sum = zip(counts, probabilities).reduce(0.0) { $0 + $1.0 * $1.1 }
    return Double(spec.count) * sum / (rows * rows)
  }

  /// Gradient of `weight` times the loss with its coefficient, for each expert's probability in any
  /// row.
  func gradient(weight: Double) -> [Float] {
    let factor = weight * spec.balance * Double(spec.count) / (rows * rows)
    return counts.map { Float(factor * $0) }
  }
}
