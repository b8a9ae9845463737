import ByteIO
import Platform
import Tensors

/// The largest magnitude among the eigenvalues of a linear map, by power iteration: products are all
/// that is asked of the map.
///
/// Its eigenvalues may be complex and close together, so that no vector settles. What settles is the
/// rate of growth: ‖Mᵏ v‖ goes as ρᵏ, and the mean of log growth over the second half of the iterations
/// leaves out how the start was made.
package struct SpectralRadius: Equatable {
  package var value: Double
  package var iterations: Int

  /// - Parameters:
  ///   - size: Of the map's vectors.
  ///   - iterations: Most products; fewer are made where the growth stays the same.
  ///   - product: Of the map or its transpose, which has the same eigenvalues.
  /// - Returns: Nil where a product is no number.
  package init?(
    size: Int, iterations: Int = 64, _ product: ([Float]) throws -> [Float]
  ) throws {
    precondition(size > 0 && iterations > 1, "a vector and its growth")
    let random = RandomStream(seed: 0x7264, stream: 0)
    var v = (0..<size).map { random.symmetric(at: UInt64($0)) }
    var growths: [Double] = []
    Self.normalise(&v)
    while growths.count < iterations, !Self.isSteady(growths) {
      try Interruption.check()
      v = try product(v)
      let growth = Self.normalise(&v)
      guard growth.isFinite else { return nil }
      growths.append(growth)
      // What the map takes to nothing has no eigenvalue but 0 in reach.
      if growth == 0 { break }
    }
    self.iterations = growths.count
    if growths.last == 0 {
      value = 0
    } else if Self.isSteady(growths) {
      value = growths[growths.count - 1]
    } else {
      let late = growths[(growths.count / 2)...]
      value = exp(late.reduce(0) { $0 + log($1) } / Double(late.count))
    }
  }

  /// Whether the last growths are the same: one real eigenvalue, or a pair of opposite ones, leads.
  private static func isSteady(_ growths: [Double]) -> Bool {
    let last = growths.suffix(8)
    guard last.count == 8, let top = last.max(), let bottom = last.min() else { return false }
    return top - bottom <= 1e-4 * top
  }

  /// Divides by the norm and gives it.
  @discardableResult
  private static func normalise(_ v: inout [Float]) -> Double {
    let norm = v.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    if norm > 0, norm.isFinite { for i in v.indices { v[i] = Float(Double(v[i]) / norm) } }
    return norm
  }
}
