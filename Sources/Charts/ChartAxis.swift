import Platform

/// One axis of a chart: the range shown, and numbers to mark in it.
struct ChartAxis {
  let lower: Double
  let upper: Double
  let isLogarithmic: Bool
  let ticks: [Double]

  /// An axis that holds all `values`, of which there is at least one.
  ///
  /// - Parameter tickCount: About how many ticks are wanted.
  init(_ values: [Double], isLogarithmic: Bool, tickCount: Int) {
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
    lower = low
    upper = high
    let distinct = Set(values).sorted()
    // A few numbers that are chosen, such as recurrences of 1, 2, 4 and 8, are their own best marks.
    let areMarks = (2...(tickCount + 2)).contains(distinct.count) && high <= 1000 * low
    ticks =
      !isLogarithmic
      ? Self.linearTicks(low, high, tickCount)
      : areMarks ? distinct : Self.logarithmicTicks(low, high, tickCount)
  }

  /// Where `value` lies, from 0 at the lower to 1 at the upper end.
  func position(_ value: Double) -> Double {
    isLogarithmic
      ? log(value / lower) / log(upper / lower) : (value - lower) / (upper - lower)
  }

  /// Multiples of 1, 2 or 5 times a power of ten.
  private static func linearTicks(_ low: Double, _ high: Double, _ count: Int) -> [Double] {
    let rough = (high - low) / Double(max(count, 1))
    let power = pow(10, floor(log10(rough)))
    let step = power * ([1, 2, 5, 10].first { $0 * power >= rough } ?? 10)
    guard step > 0, step.isFinite else { return [low, high] }
    var ticks: [Double] = []
    var index = (low / step).rounded(.up)
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
    return high / low < 100 ? linearTicks(low, high, count) : [low, high]
  }

  /// `value` as short as four significant digits allow: `0.35`, `12.5`, `4.2k`, `3.7e20`.
  static func label(_ value: Double) -> String {
    let size = abs(value)
    if size == 0 { return "0" }
    for (unit, scale) in [("G", 1e9), ("M", 1e6), ("k", 1e3)] where size >= scale && size < 1e12 {
      return digits(value / scale) + unit
    }
    if size >= 1e12 || size < 1e-3 {
      let exponent = floor(log10(size) + 1e-12)
      return digits(value / pow(10, exponent)) + "e\(Int(exponent))"
    }
    return digits(value)
  }

  private static func digits(_ value: Double) -> String {
    let decimals = max(0, 3 - Int(floor(log10(max(abs(value), 1e-3)))))
    let scale = pow(10, Double(min(decimals, 6)))
    let text = "\((value * scale).rounded() / scale)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
