import Kernels
import ModelGraph
import Platform
package import Transformer

/// How much one layer changes the hidden states that pass through it.
package struct LayerInfluence: Equatable, Sendable {
  /// 1 - cos(x, y) for a layer's input x and output y, mean over positions: the block influence of
  /// ShortGPT (Men et al. 2024, equation 1).
  package var blockInfluence: Double
  /// arccos(cos(x, y)) / π, mean over positions: the angular distance of "The Unreasonable
  /// Ineffectiveness of the Deeper Layers" (Gromov et al. 2024), there of the last position only.
  package var angularDistance: Double
}

/// Measures the influence of every layer of a plain model, batch by batch.
package struct InfluenceMeter {
  private let model: Model
  private var cosines: [Double]
  private var angles: [Double]
  /// Tokens measured so far.
  package private(set) var positions = 0

  package init(_ model: Model) {
    self.model = model
    let layers = model.graph.blocks.count
    cosines = [Double](repeating: 0, count: layers)
    angles = cosines
  }

  /// Runs a batch through the model and counts each of its positions.
  package mutating func add(_ batch: Batch) throws {
    let options = ForwardOptions(logits: .none, keepsHidden: true, normsLastHidden: false)
    guard let hidden = try model.forward(batch, options).hidden else { return }
    let count = batch.tokens.count
    for position in 0..<count {
      var input = hidden.row(position)
      for layer in cosines.indices {
        let output = hidden.row((layer + 1) * count + position)
        let cosine = Self.cosine(input, output)
        cosines[layer] += cosine
        angles[layer] += acos(cosine) / Double.pi
        input = output
      }
    }
    positions += count
  }

  /// The means over all positions, one a layer; empty before the first batch.
  package var influences: [LayerInfluence] {
    guard positions > 0 else { return [] }
    return zip(cosines, angles).map { cosine, angle in
      LayerInfluence(
        blockInfluence: 1 - cosine / Double(positions),
        angularDistance: angle / Double(positions))
    }
  }

  /// Cosine of the angle between two vectors, from -1 to 1: 1 when both are zero, 0 when one is, NaN
  /// when a value is not finite.
  private static func cosine(_ x: [Float], _ y: [Float]) -> Double {
    var (product, squareX, squareY) = (0.0, 0.0, 0.0)
    for i in x.indices {
      let (a, b) = (Double(x[i]), Double(y[i]))
      product += a * b
      squareX += a * a
      squareY += b * b
    }
    if squareX == 0 || squareY == 0 { return squareX == squareY ? 1 : 0 }
    let cosine = product / (squareX.squareRoot() * squareY.squareRoot())
    return cosine.isNaN ? cosine : max(-1, min(1, cosine))
  }
}
