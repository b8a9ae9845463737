import ModelGraph
import Platform

/// Rotary position embedding in Double, from the papers' formulas: independent of the tables that the
/// kernels read.
struct ReferenceRotation {
  /// Radians a position of each pair.
  private let frequencies: [Double]
  private let magnitude: Double
  private let isInterleaved: Bool

  /// - Parameters:
  ///   - rotary: Nil turns nothing.
  ///   - length: Positions of the sequence.
  init(_ rotary: RotaryEmbedding?, headSize: Int, length: Int) {
    isInterleaved = rotary?.isInterleaved ?? false
    guard let rotary else {
      (frequencies, magnitude) = ([], 1)
      return
    }
    let size = rotary.dimensions ?? headSize
    frequencies = (0..<size / 2).map { rotary.frequency($0, of: size, length: length) }
    magnitude =
      switch rotary.scaling {
      case .yarn(let yarn): yarn.magnitude
      case .longRoPE(let long): long.magnitude
      case .none, .linear, .dynamic, .llama3: 1
      }
  }

  /// Turns the pairs (i, i + count), or (2i, 2i + 1), of a head at `position`; values beyond the pairs stay.
  func turned(at position: Int) -> ([Double]) -> [Double] {
    { head in
      var result = head
      let half = frequencies.count
      for (i, frequency) in frequencies.enumerated() {
        let angle = Double(position) * frequency
        let (a, b) = isInterleaved ? (2 * i, 2 * i + 1) : (i, i + half)
        let (x, y) = (head[a], head[b])
        result[a] = magnitude * (x * cos(angle) - y * sin(angle))
        result[b] = magnitude * (y * cos(angle) + x * sin(angle))
      }
      return result
    }
  }
}

extension RotaryEmbedding {
  fileprivate func frequency(_ i: Int, of size: Int, length: Int) -> Double {
    let plain = pow(theta, -2 * Double(i) / Double(size))
    switch scaling {
    case .none: return plain
    case .linear(let factor): return plain / factor
    case .dynamic(let factor, let original):
      // bloc97's and emozilla's NTK-aware base, of the sequence at hand.
      if length <= original { return plain }
      let stretch = 1 + factor * (Double(length) / Double(original) - 1)
      let base = theta * pow(stretch, Double(size) / Double(size - 2))
      return pow(base, -2 * Double(i) / Double(size))
    case .llama3(let factor, let low, let high, let original):
      // Llama 3.1: how often the pair turns within the original context decides.
      let turns = Double(original) * plain / (2 * Double.pi)
      if turns < low { return plain / factor }
      if turns > high { return plain }
      let share = (turns - low) / (high - low)
      return (1 - share) * plain / factor + share * plain
    case .yarn(let yarn):
      // Peng et al. 2023, section 3.2: between the pairs that turn betaFast and betaSlow times.
      func pair(_ turns: Double) -> Double {
        log(Double(yarn.originalContext) / (2 * Double.pi * turns)) / log(theta) * Double(size) / 2
      }
      var (first, last) = (pair(yarn.betaFast), pair(yarn.betaSlow))
      if yarn.isTruncated { (first, last) = (floor(first), ceil(last)) }
      (first, last) = (max(0, first), min(Double(size - 1), last))
      if first == last { last += 0.001 }
      let share = min(1, max(0, (Double(i) - first) / (last - first)))
      return share * plain / yarn.factor + (1 - share) * plain
    case .longRoPE(let long):
      return plain / (length > long.originalContext ? long.long[i] : long.short[i])
    }
  }
}
