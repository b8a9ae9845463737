import ByteIO
import Platform

extension ChartAxis {
  /// The ticks as text, all in one notation: `0.20`, `0.25`, or `0.5k`, `1.0k`, or `1e-4`, `2e-4`.
  var labels: [String] { isLogarithmic ? Self.logarithmicLabels(ticks) : Self.labels(ticks) }

  /// Evenly spaced numbers: one unit, and as many decimals as tell neighbours apart.
  private static func labels(_ ticks: [Double]) -> [String] {
    let size = ticks.map(abs).max() ?? 0
    if size == 0 { return ticks.map { _ in "0" } }
    var (scale, suffix) = (1.0, "")
    if size >= 1e15 || size < 1e-3 {
      let exponent = Int(floor(log10(size) + 1e-12))
      (scale, suffix) = (pow(10, Double(exponent)), "e\(exponent)")
    } else if let unit = [("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)].first(where: {
      size >= $0.1
    }) {
      (suffix, scale) = unit
    }
    let step = ticks.count > 1 ? abs(ticks[1] - ticks[0]) / scale : abs(ticks[0]) / scale
    var decimals = 0
    while decimals < 6, !isWhole(step * pow(10, Double(decimals))) { decimals += 1 }
    return ticks.map { abs($0) < size * 1e-9 ? "0" : fixed($0 / scale, decimals) + suffix }
  }

  /// Numbers of many sizes: written out while that is short, else as powers of ten.
  private static func logarithmicLabels(_ ticks: [Double]) -> [String] {
    let isShort = ticks.allSatisfy { (1e-3..<1e5).contains($0) }
    return ticks.map { isShort ? plain($0) : power($0) }
  }

  private static func plain(_ value: Double) -> String {
    let text = fixed(value, value < 0.1 ? 4 : value < 10 ? 2 : 1)
    let digits = text.reversed().drop { $0 == "0" }
    return String((digits.first == "." ? digits.dropFirst() : digits).reversed())
  }

  private static func power(_ value: Double) -> String {
    let exponent = Int(floor(log10(value) + 1e-12))
    return plain(value / pow(10, Double(exponent))) + "e\(exponent)"
  }

  private static func isWhole(_ value: Double) -> Bool {
    abs(value - value.rounded()) < 1e-6 * max(1, abs(value))
  }
}
