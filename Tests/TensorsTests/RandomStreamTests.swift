import Testing

@testable import Tensors

@Suite("random stream")
struct RandomStreamTests {
  @Test(
    "bits at a seed, stream and index are those of SplitMix64 computed in Python",
    arguments: [
      (0, 0, 0, 0x568a_9b0b_1a2c_05ec), (74, 0, 5, 0x427c_f1b5_7f54_9264),
      (74, 1, 5, 0xb1f2_e683_281a_2e3d), (.max, 3, .max, 0xb06f_51d0_f933_d680),
    ] as [(UInt64, UInt64, UInt64, UInt64)])
  func bits(seed: UInt64, stream: UInt64, index: UInt64, value: UInt64) {
    #expect(RandomStream(seed: seed, stream: stream)[index] == value)
  }

  @Test(
    "the normal quantile agrees with Python's statistics.NormalDist",
    arguments: [
      (1e-12, -7.034483825301132), (0.00135, -2.999976992703393), (0.02, -2.0537489106318225),
      (0.0749, -1.4402382675279632), (0.3, -0.5244005127080407), (0.5, 0),
      (0.75, 0.6744897501960817), (0.925001, 1.4395385353452304), (0.9973, 2.7821504537846025),
      (0.9999999, 5.199337582290662),
    ])
  func quantile(p: Double, x: Double) { #expect(abs(normalQuantile(p) - x) <= 4e-15 * abs(x)) }

  @Test("truncated normal values keep to ±3 and have the moments of the definition")
  func truncated() {
    let stream = RandomStream(seed: 7)
    let values = (0..<100_000).map { stream.truncatedNormal(at: $0) }
    #expect(values.allSatisfy { abs($0) <= 3 })
    let mean = values.reduce(0, +) / 1e5
    let variance = values.reduce(0) { $0 + $1 * $1 } / 1e5
    #expect(abs(mean) < 0.01)
    // 1 - 6 φ(3) / (1 - 2 Φ(-3))
    #expect(abs(variance - 0.97334) < 0.012)
  }

  @Test("uniform values fill their interval")
  func uniform() {
    let stream = RandomStream(seed: 1)
    let values = (0..<10_000).map { stream.symmetric(at: $0) }
    #expect(values.allSatisfy { $0 >= -1 && $0 < 1 })
    #expect(abs(values.reduce(0, +) / 1e4) < 0.02)
    #expect((values.min() ?? 0) < -0.99 && (values.max() ?? 0) > 0.99)
  }
}
