import Testing

@testable import Transformer

@Suite("spectral radius by power iteration")
struct SpectralRadiusTests {
  /// Row-major, `[n, n]`.
  private func product(_ matrix: [[Float]]) -> ([Float]) -> [Float] {
    { v in matrix.map { row in zip(row, v).reduce(0) { $0 + $1.0 * $1.1 } } }
  }

  @Test("a real eigenvalue that leads is found to four digits, in fewer products than are allowed")
  func real() throws {
    let found = try #require(
      try SpectralRadius(size: 3, product([[2, 1, 0], [0, -0.5, 3], [0, 0, 1]])))
    #expect(abs(found.value - 2) < 1e-3)
    #expect(found.iterations < 64)
  }

  @Test("a pair of complex eigenvalues, whose vectors turn without end")
  func complex() throws {
    // a ± ib with |a + ib| = 1.25, seen through a basis that is not orthogonal.
    let (a, b): (Float, Float) = (0.75, 1)
    let found = try #require(
      try SpectralRadius(
        size: 3, product([[a - 4 * b, 17 * b, 0.3], [-b, a + 4 * b, 0], [0, 0, 0.2]])))
    #expect(abs(found.value - 1.25) < 0.04)
  }

  @Test("what comes to nothing has radius 0; what is no number has none")
  func edges() throws {
    let nilpotent = try SpectralRadius(size: 2, product([[0, 1], [0, 0]]))
    #expect(nilpotent?.value == 0)
    #expect(try SpectralRadius(size: 2) { _ in [.nan, 1] } == nil)
    #expect(try SpectralRadius(size: 2) { $0.map { $0 * .infinity } } == nil)
  }
}
