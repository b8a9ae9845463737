import Platform

/// The range of values that a chart shows.
struct ChartLimits: Equatable {
  var low: Double
  var high: Double

  /// The limits of values that come as one list a line; nil when there are none.
  ///
  /// With `hidesOutliers`, up to a twentieth of each list (one of four at least) and all `levels` are
  /// left out at an end where the range of all values is more than twice that of the rest.
  init?(_ lists: [[Double]], levels: [Double] = [], hidesOutliers: Bool, isLogarithmic: Bool) {
    // Distances are what a reader sees: on a logarithmic axis those of logarithms.
    func scaled(_ values: [Double]) -> [Double] { values.map { isLogarithmic ? log($0) : $0 } }
    let lists = lists.filter { !$0.isEmpty }.map(scaled)
    let all = lists.isEmpty ? [] : lists + [scaled(levels)]
    guard var low = all.compactMap({ $0.min() }).min(),
      var high = all.compactMap({ $0.max() }).max()
    else { return nil }
    if hidesOutliers {
      let trimmed = lists.map { list in
        let sorted = list.sorted()
        let cut = sorted.count < 4 ? 0 : (sorted.count + 19) / 20
        return (sorted[cut], sorted[sorted.count - 1 - cut])
      }
      let inner = (trimmed.map(\.0).min() ?? low, trimmed.map(\.1).max() ?? high)
      let length = inner.1 - inner.0
      if length > 1e-3 * max(abs(inner.0), abs(inner.1)) {
        if high - inner.1 > length { high = inner.1 + length * 0.1 }
        if inner.0 - low > length { low = inner.0 - length * 0.1 }
      }
    }
    self.low = isLogarithmic ? exp(low) : low
    self.high = isLogarithmic ? exp(high) : high
  }
}
