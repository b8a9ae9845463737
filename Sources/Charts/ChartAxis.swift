import Platform

/// One axis of a chart: the range shown, and numbers to mark in it.
struct ChartAxis {
  /// Ends of the range, a little beyond the values: none of them lies on the frame.
  let lower: Double
  let upper: Double
  let isLogarithmic: Bool
  let ticks: [Double]

  /// An axis that holds all `values`, of which there is at least one.
  ///
  /// - Parameters:
  ///   - tickCount: About how many ticks are wanted.
  ///   - marksValues: Let a few values be the marks, as recurrences of 1, 2, 4 and 8 are.
  init(_ values: [Double], isLogarithmic: Bool, tickCount: Int, marksValues: Bool = true) {
    self.isLogarithmic = isLogarithmic
    var low = values.min() ?? 0
    var high = values.max() ?? 1
    // Values that agree to a thousandth are one: their rounding is nothing to look at.
    if !isLogarithmic, high - low < 1e-3 * max(abs(low), abs(high)) {
      let middle = (low + high) / 2
      (low, high) = (middle, middle)
    }
    if low == high {
      let margin = isLogarithmic ? low / 2 : abs(low) / 10 + (low == 0 ? 0.5 : 0)
      (low, high) = (low - margin, high + margin)
    }
    let distinct = Set(values).sorted()
    let areMarks =
      marksValues && (2...(tickCount + 3)).contains(distinct.count) && high <= 1000 * low
    ticks =
      !isLogarithmic
      ? Self.linearTicks(low, high, tickCount)
      : areMarks ? distinct : Self.logarithmicTicks(low, high, tickCount)
    let margin = isLogarithmic ? pow(high / low, 0.05) : (high - low) * 0.05
    lower = isLogarithmic ? low / margin : low - margin
    upper = isLogarithmic ? high * margin : high + margin
  }

  /// Where `value` lies, from 0 at the lower to 1 at the upper end; at most a few lengths away.
  func position(_ value: Double) -> Double {
    let share =
      isLogarithmic
      ? (log(value) - log(lower)) / (log(upper) - log(lower))
      : (value - lower) / (upper - lower)
    return min(max(share, -3), 4)
  }

  /// Multiples of 1, 2 or 5 times a power of ten.
  private static func linearTicks(_ low: Double, _ high: Double, _ count: Int) -> [Double] {
    let rough = (high - low) / Double(max(count, 1))
    let power = pow(10, floor(log10(rough)))
    let step = power * ([1, 2, 5, 10].first { $0 * power >= rough } ?? 10)
    guard step > 0, step.isFinite else { return [low, high] }
    var ticks: [Double] = []
    var index = (low / step - 1e-9).rounded(.up)
    while index * step <= high + step * 1e-9, ticks.count < 100 {
      ticks.append(index * step)
      index += 1
    }
    return ticks
  }

  /// Powers of ten, and numbers between them where there is room.
  private static func logarithmicTicks(_ low: Double, _ high: Double, _ count: Int) -> [Double] {
    let first = Int(floor(log10(low)))
    let last = Int(floor(log10(high)))
    let slack = 1e-9
    for factors in [[1.0, 2, 5], [1.0, 3], [1.0]] as [[Double]] {
      var ticks: [Double] = []
      for power in first...last {
        let scale = pow(10, Double(power))
        ticks += factors.map { $0 * scale }
      }
      ticks.removeAll { $0 < low * (1 - slack) || $0 > high * (1 + slack) }
      if ticks.count <= count + 2, ticks.count >= 2 { return ticks }
    }
    if high / low < 100 { return linearTicks(low, high, count + 2).filter { $0 > 0 } }
    // Every so many powers of ten.
    let stride = max(1, (last - first) / max(count, 1) + 1)
    let powers = Swift.stride(from: first, through: last, by: stride).map { pow(10, Double($0)) }
    return powers.filter { $0 >= low * (1 - slack) }
  }
}
