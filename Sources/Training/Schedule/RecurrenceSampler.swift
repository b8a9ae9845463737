import Platform
import Tensors

/// How often the core runs in one micro-batch, or for one sequence: `n` passes without gradient, then `k` with.
package struct RecurrenceDraw: Hashable, Sendable {
  package var withoutGradient: Int
  package var withGradient: Int

  package init(withoutGradient: Int, withGradient: Int) {
    self.withoutGradient = withoutGradient
    self.withGradient = withGradient
  }

  package var total: Int { withoutGradient + withGradient }

  /// Splits `total` passes so that at most `depth` of them, the last ones, keep their gradient.
  package init(total: Int, depth: Int) {
    withoutGradient = max(total - depth, 0)
    withGradient = min(depth, total)
  }
}

/// Draws the number of recurrences for each micro-batch, as the paper does (log-normal Poisson).
///
/// With scheduled mean r̄: λ ~ LogNormal(ln r̄ - σ²/2, σ = 0.5), T ~ Poisson(λ) + 1, of which the
/// last b = min(depth, r̄) keep their gradient. So E[T] = r̄ + 1. The draw depends on seed and index
/// of the micro-batch alone: the same on every machine of a group, and after a resume.
package struct RecurrenceSampler: Equatable, Sendable {
  /// Mean r̄ of the draw, by step.
  package var mean: Curriculum
  /// Largest number of passes with gradient, by step.
  package var backpropDepth: Curriculum
  /// When set, r is this in every micro-batch; the curriculum of the mean is not used.
  package var fixed: Int?
  package var seed: UInt64

  package static let sigma = 0.5

  package init(mean: Curriculum, backpropDepth: Curriculum, fixed: Int? = nil, seed: UInt64) {
    self.mean = mean
    self.backpropDepth = backpropDepth
    self.fixed = fixed
    self.seed = seed
  }

  /// The scheduled mean at `step` of a run of `total` steps.
  package func mean(at step: Int, of total: Int) -> Int {
    fixed ?? mean.value(at: step, of: total)
  }

  /// The draw for micro-batch `microBatch`, counted over the whole run, at `step` of `total`; where
  /// sequences draw, for that sequence.
  package func draw(microBatch: Int, step: Int, of total: Int) -> RecurrenceDraw {
    let depth = backpropDepth.value(at: step, of: total)
    if let fixed { return RecurrenceDraw(total: fixed, depth: depth) }
    let mean = mean.value(at: step, of: total)
    let random = RandomStream(seed: seed, stream: Self.stream &+ UInt64(microBatch))
    let rate =
      Double(mean) * exp(Self.sigma * random.normal(at: 0) - Self.sigma * Self.sigma / 2)
    return RecurrenceDraw(total: Self.poisson(rate: rate, random) + 1, depth: min(depth, mean))
  }

  private static let stream: UInt64 = 0x7265_6375_7200_0000  // "recur"

  /// Arrivals in time `rate` of a process with exponential waiting times of mean 1; the first
  /// waiting time comes from index 1 of `random`.
  private static func poisson(rate: Double, _ random: RandomStream) -> Int {
    var count = 0
    var time = -log(1 - random.uniform(at: 1))
    while time <= rate {
      count += 1
      time -= log(1 - random.uniform(at: UInt64(count + 1)))
    }
    return count
  }
}
