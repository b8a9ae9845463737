/// The same quantity measured several times.
struct Samples {
  private(set) var values: [Double] = []

  mutating func add(_ value: Double) { values.append(value) }

  var minimum: Double { values.min() ?? .nan }
  var maximum: Double { values.max() ?? .nan }

  var median: Double {
    let sorted = values.sorted()
    guard let middle = sorted.indices.dropFirst(sorted.count / 2).first else { return .nan }
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// Quotients, pair by pair: what drifts slowly cancels.
  func over(_ other: Samples) -> Samples {
    Samples(values: zip(values, other.values).map { $0 / $1 })
  }

  /// Minimum, median and maximum.
  func text(digits: Int = 2) -> String {
    [minimum, median, maximum].map { fixed($0, digits) }.joined(separator: " / ")
  }
}

/// `value` with `digits` digits after the point.
func fixed(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite else { return "-" }
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let whole = Int((value.magnitude * scale).rounded())
  let fraction = String(whole % Int(scale))
  let sign = value < 0 && whole > 0 ? "-" : ""
  if digits == 0 { return sign + String(whole) }
  return sign + String(whole / Int(scale)) + "."
    + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// Measures every side once to warm up, then all of them in turn, `runs` times: A B A B ….
///
/// - Returns: For each side, in the order given, its results.
func interleaved<Result>(_ runs: Int, _ sides: [() throws -> Result]) throws -> [[Result]] {
  var results = [[Result]](repeating: [], count: sides.count)
  for run in 0...runs {
    for (i, side) in sides.enumerated() {
      let result = try side()
      if run > 0 { results[i].append(result) }
    }
  }
  return results
}

extension Samples {
  init(_ values: some Sequence<Double>) { self.values = Array(values) }
}
