import ModelGraph
import Platform

extension RotaryEmbedding {
  /// Radians a position of each pair of a head, `[headSize / 2]`: θ^(-2i/headSize), scaled.
  ///
  /// Llama 3.1 scaling: wavelengths above originalContext/low are stretched by `factor`, those below
  /// originalContext/high stay, and between the two the frequency is interpolated.
  func frequencies(headSize: Int) -> [Float] {
    (0..<headSize / 2).map { pair in
      let plain = pow(theta, -2 * Double(pair) / Double(headSize))
      switch scaling {
      case .none: return Float(plain)
      case .linear(let factor): return Float(plain / factor)
      case .llama3(let factor, let low, let high, let originalContext):
        let turns = Double(originalContext) * plain / (2 * .pi)
        let share = min(max((turns - low) / (high - low), 0), 1)
        return Float((1 - share) * plain / factor + share * plain)
      }
    }
  }
}
