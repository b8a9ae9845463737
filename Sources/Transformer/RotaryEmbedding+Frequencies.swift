import Kernels
import ModelGraph
import Platform
import Tensors

extension RotaryEmbedding {
  /// Radians a position of each pair of a head, `[dimensions / 2]`: θ^(-2i/dimensions), scaled.
  ///
  /// - Parameter length: Positions of the sequence: scalings that reach beyond the original context
  ///   depend on it.
  func frequencies(headSize: Int, length: Int) -> [Float] {
    let size = dimensions ?? headSize
    let base = base(size: size, length: length)
    let plain = (0..<size / 2).map { pow(base, -2 * Double($0) / Double(size)) }
    switch scaling {
    case .none, .dynamic: return plain.map { Float($0) }
    case .linear(let factor): return plain.map { Float($0 / factor) }
    case .llama3(let factor, let low, let high, let originalContext):
      // Wavelengths above originalContext/low are stretched by `factor`, those below
      // originalContext/high stay, and between the two the frequency is interpolated.
      return plain.map { plain in
        let turns = Double(originalContext) * plain / (2 * .pi)
        let share = min(max((turns - low) / (high - low), 0), 1)
        return Float((1 - share) * plain / factor + share * plain)
      }
    case .yarn(let yarn):
      let ramp = yarn.ramp(theta: theta, size: size)
      return zip(plain, ramp).map { plain, share in
        Float(plain / yarn.factor * share + plain * (1 - share))
      }
    case .longRoPE(let long):
      let factors = length > long.originalContext ? long.long : long.short
      return zip(plain, factors).map { Float($0 / $1) }
    }
  }

  /// The base of the frequencies; beyond the original context, dynamic scaling raises it.
  private func base(size: Int, length: Int) -> Double {
    guard case .dynamic(let factor, let original) = scaling, length > original else { return theta }
    let stretch = factor * Double(length) / Double(original) - (factor - 1)
    return theta * pow(stretch, Double(size) / Double(size - 2))
  }

  /// Factor on cosines and sines.
  var magnitude: Double {
    switch scaling {
    case .none, .linear, .dynamic, .llama3: 1
    case .yarn(let yarn): yarn.magnitude
    case .longRoPE(let long): long.magnitude
    }
  }

  /// Sequences of the lengths for which this is equal have the same frequencies.
  func variant(length: Int) -> Int {
    switch scaling {
    case .none, .linear, .llama3, .yarn: 0
    case .dynamic(_, let original): max(0, length - original)
    case .longRoPE(let long): length > long.originalContext ? 1 : 0
    }
  }
}

extension RotaryEmbedding.YaRN {
  /// Share of each frequency that is divided by the factor, `[size / 2]` (Peng et al. 2023, section
  /// 3.2).
  fileprivate func ramp(theta: Double, size: Int) -> [Double] {
    /// The pair that turns so often within the original context.
    func pair(turns: Double) -> Double {
      Double(size) * log(Double(originalContext) / (turns * 2 * .pi)) / (2 * log(theta))
    }
    let (fast, slow) = (pair(turns: betaFast), pair(turns: betaSlow))
    let low = max(isTruncated ? fast.rounded(.down) : fast, 0)
    let end = min(isTruncated ? slow.rounded(.up) : slow, Double(size - 1))
    let high = low == end ? end + 0.001 : end
    return (0..<size / 2).map { min(max((Double($0) - low) / (high - low), 0), 1) }
  }
}

/// Cosines and sines of all rotary embeddings of a network, kept from call to call.
struct RotationTables {
  private(set) var tables: [RotationTable] = []
  private var variants: [Int] = []
  private var positions = 0

  /// Makes what a call for `length` positions needs.
  ///
  /// - Parameter isGrowing: Whether calls for a few more positions will follow.
  mutating func prepare(
    _ network: Network, length: Int, isGrowing: Bool = false
  ) throws(MemoryError) {
    let variants = network.rotaries.map { $0.variant(length: length) }
    if positions >= length, variants == self.variants { return }
    // Other frequencies need no more positions.
    let count =
      positions >= length ? positions : isGrowing ? max(length, 2 * max(positions, 32)) : length
    var tables: [RotationTable] = []
    for rotary in network.rotaries {
      tables.append(
        try RotationTable(
          frequencies: rotary.frequencies(headSize: network.sizes.headSize, length: length),
          positions: count, magnitude: rotary.magnitude, isInterleaved: rotary.isInterleaved))
    }
    (self.tables, self.variants, positions) = (tables, variants, count)
  }
}
