import Testing

@testable import Training

@Suite("Recurrence sampler")
struct RecurrenceSamplerTests {
  private static func sampler(_ mean: Int, seed: UInt64 = 74) -> RecurrenceSampler {
    RecurrenceSampler(mean: .constant(mean), backpropDepth: .constant(8), seed: seed)
  }

  struct Expected: CustomTestStringConvertible {
    var mean: Int
    var total: Double
    var deviation: Double
    var median: Int
    var p95: Int
    var p99: Int
    var without: Double
    var with: Double
    var testDescription: String { "r̄ \(mean)" }
  }

  /// From a simulation of the paper's sampler in numpy, a million draws each.
  @Test(
    "draws the paper's distribution",
    arguments: [
      Expected(
        mean: 4, total: 5.00, deviation: 2.93, median: 4, p95: 10, p99: 14, without: 1.59,
        with: 3.41),
      Expected(
        mean: 8, total: 9.00, deviation: 5.12, median: 8, p95: 19, p99: 26, without: 2.38,
        with: 6.62),
      Expected(
        mean: 16, total: 16.99, deviation: 9.40, median: 15, p95: 35, p99: 48, without: 9.25,
        with: 7.74),
      Expected(
        mean: 32, total: 32.99, deviation: 17.97, median: 29, p95: 67, p99: 94, without: 25.01,
        with: 7.98),
    ])
  func distribution(_ expected: Expected) {
    let count = 100_000
    let sampler = Self.sampler(expected.mean)
    let draws = (0..<count).map { sampler.draw(microBatch: $0, step: 0, of: 1) }
    let totals = draws.map(\.total).sorted()
    let mean = Double(totals.reduce(0, +)) / Double(count)
    let variance = totals.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    // Five standard errors of a mean of `count` draws.
    let tolerance = 5 * expected.deviation / Double(count).squareRoot() + 0.01
    #expect(abs(mean - expected.total) < tolerance)
    #expect(
      abs((variance / Double(count)).squareRoot() / expected.deviation - 1) < 0.02)
    #expect(abs(totals[count / 2] - expected.median) <= 1)
    #expect(abs(totals[count * 95 / 100] - expected.p95) <= 1)
    #expect(abs(totals[count * 99 / 100] - expected.p99) <= 2)
    let without = Double(draws.map(\.withoutGradient).reduce(0, +)) / Double(count)
    let with = Double(draws.map(\.withGradient).reduce(0, +)) / Double(count)
    #expect(abs(without - expected.without) < tolerance)
    #expect(abs(with - expected.with) < tolerance)
  }

  @Test("a draw depends on seed and micro-batch alone")
  func keyed() {
    let a = (0..<200).map { Self.sampler(16).draw(microBatch: $0, step: 0, of: 1) }
    let b = (0..<200).reversed().map { Self.sampler(16).draw(microBatch: $0, step: 0, of: 1) }
    #expect(a == b.reversed())
    let other = (0..<200).map { Self.sampler(16, seed: 75).draw(microBatch: $0, step: 0, of: 1) }
    #expect(a != other)
    #expect(Set(a.map(\.total)).count > 10)
  }

  @Test("a fixed recurrence keeps the last passes' gradients")
  func fixed() {
    var sampler = Self.sampler(32)
    sampler.fixed = 11
    let draw = sampler.draw(microBatch: 5, step: 0, of: 1)
    #expect(draw == RecurrenceDraw(withoutGradient: 3, withGradient: 8))
    sampler.fixed = 2
    #expect(
      sampler.draw(microBatch: 5, step: 0, of: 1)
        == RecurrenceDraw(withoutGradient: 0, withGradient: 2))
  }
}

@Suite("Curricula and schedules")
struct ScheduleTests {
  /// Average scheduled r̄ over 50,000 steps with a ramp of 75 %: the paper's runs.
  @Test(
    "average of the scheduled mean",
    arguments: [
      (Curriculum.Shape.linear, 4, 2.875), (.linear, 8, 5.375), (.linear, 16, 10.375),
      (.linear, 32, 20.375), (.oneMinusSquareRoot, 4, 2.41), (.oneMinusSquareRoot, 8, 4.39),
      (.oneMinusSquareRoot, 16, 8.38), (.oneMinusSquareRoot, 32, 16.38),
    ])
  func average(shape: Curriculum.Shape, end: Int, expected: Double) {
    let curriculum = Curriculum(shape, to: end, over: .share(0.75))
    let sum = (0..<50_000).reduce(0) { $0 + curriculum.value(at: $1, of: 50_000) }
    #expect(abs(Double(sum) / 50_000 - expected) < 0.006)
  }

  @Test("a ramp goes from its start to its end and stays there")
  func ramp() {
    let depth = Curriculum(.linear, from: 1, to: 8, over: .steps(70))
    #expect(depth.value(at: 0, of: 1000) == 1)
    #expect(depth.value(at: 35, of: 1000) == 5)  // ceil(1 + 7/2)
    #expect(depth.value(at: 70, of: 1000) == 8)
    #expect(depth.value(at: 999, of: 1000) == 8)
    #expect(Curriculum.constant(6).value(at: 0, of: 10) == 6)
    #expect(Curriculum(.linear, to: 32, over: .share(0)).value(at: 0, of: 10) == 32)
  }

  /// Values of transformers' `get_wsd_schedule(10 warm-up, 20 decay, 30 stable)` with
  /// `min_lr_ratio=0.001`, cosine decay, and of the closed formulas of the others.
  @Test("learning rate factors")
  func learningRate() {
    let wsd = LearningRateSchedule(
      .warmupStableDecay, warmup: .steps(10), cooldown: .steps(20))
    let expected: [(Int, Double)] = [
      (0, 0.001), (5, 0.5005), (10, 1), (39, 1), (40, 1), (50, 0.5005),
      (55, 0.1473001627973), (59, 0.0071496738727), (60, 0.001),
    ]
    for (step, factor) in expected {
      #expect(abs(wsd.factor(at: step, of: 60) - factor) < 1e-9, "step \(step)")
    }
    let linear = LearningRateSchedule(.linear, warmup: .share(0.1), floor: 0)
    #expect(linear.factor(at: 5, of: 100) == 0.5)
    #expect(abs(linear.factor(at: 55, of: 100) - 0.5) < 1e-12)
    let cosine = LearningRateSchedule(.cosine, floor: 0.1)
    #expect(abs(cosine.factor(at: 50, of: 100) - 0.55) < 1e-12)
    #expect(LearningRateSchedule(.constant).factor(at: 7, of: 9) == 1)
  }
}
