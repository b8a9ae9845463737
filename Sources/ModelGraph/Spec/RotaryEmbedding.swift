/// Rotary position embedding, Su et al. 2021: pairs i and i + dimensions/2 of a head's first
/// `dimensions` values (split halves), or 2i and 2i + 1 (interleaved).
package struct RotaryEmbedding: Hashable, Sendable {
  package enum Scaling: Hashable, Sendable {
    case none
    /// Positions divided by `factor`.
    case linear(factor: Double)
    /// The base grows with the sequence beyond the original context (dynamic NTK).
    case dynamic(factor: Double, originalContext: Int)
    /// Llama 3.1: low frequencies divided by `factor`, with a smooth band between.
    case llama3(factor: Double, low: Double, high: Double, originalContext: Int)
    case yarn(YaRN)
    case longRoPE(LongRoPE)
  }

  /// Peng et al. 2023: frequencies that turn seldom within the original context are divided by
  /// `factor`, those that turn often stay, with a ramp between.
  package struct YaRN: Hashable, Sendable {
    package var factor: Double
    package var originalContext: Int
    /// Turns within the original context above which a frequency stays.
    package var betaFast: Double
    /// Turns below which it is divided by the whole factor.
    package var betaSlow: Double
    /// Whether the ramp begins and ends at whole pairs.
    package var isTruncated: Bool
    /// Factor on cosines and sines.
    package var magnitude: Double

    /// The paper's, which a configuration means that does not say.
    static let usualFast = 32.0
    static let usualSlow = 1.0
  }

  /// Ding et al. 2024: a divisor for each frequency, one list within the original context and one
  /// for sequences beyond it.
  package struct LongRoPE: Hashable, Sendable {
    package var short: [Double]
    package var long: [Double]
    package var originalContext: Int
    /// Factor on cosines and sines.
    package var magnitude: Double
  }

  /// Base of the frequencies: `theta^(-2i/dimensions)`.
  package var theta: Double
  package var scaling: Scaling
  /// Values of a head that are turned, from its first on; nil for all.
  package var dimensions: Int?
  /// Whether pairs lie side by side.
  package var isInterleaved = false

  package init(theta: Double, scaling: Scaling = .none, dimensions: Int? = nil) {
    self.theta = theta
    self.scaling = scaling
    self.dimensions = dimensions
  }

  /// The most positions, given the configuration's: dynamic scaling is there to go beyond them.
  func reach(context: Int) -> Int {
    guard case .dynamic(let factor, let original) = scaling, factor > 1 else { return context }
    return max(context, Int(min(Double(original) * factor, Double(Int32.max))))
  }
}
