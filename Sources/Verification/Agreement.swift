package import JSON

/// How far one set of numbers is from another: hidden states, or logits.
package struct Distance: Equatable, Sendable {
  /// Largest absolute difference.
  package var maximumAbsolute: Double
  /// Norm of the difference over norm of the reference; DESIGN's limit for float32 is 1e-5.
  package var relativeNorm: Double
  /// Mean squared difference over mean square of the reference.
  package var nmse: Double
  /// Position of the first value whose bits differ (a zero's sign does not count); nil when none do.
  package var firstDifference: Int?
  /// Whether every value of both is finite.
  package var isFinite: Bool

  /// Whether all values are equal, so that no tolerance is needed.
  package var isExact: Bool { isFinite && firstDifference == nil }

  /// Compares `values` with `reference`, of equal count.
  package init(_ values: [Float], from reference: [Float]) {
    precondition(values.count == reference.count, "values and reference differ in count")
    var squared = 0.0
    var norm = 0.0
    maximumAbsolute = 0
    isFinite = true
    firstDifference = nil
    for i in values.indices {
      let (value, wanted) = (Double(values[i]), Double(reference[i]))
      if !value.isFinite || !wanted.isFinite { isFinite = false }
      if value != wanted, firstDifference == nil { firstDifference = i }
      let difference = value - wanted
      maximumAbsolute = max(maximumAbsolute, abs(difference))
      squared += difference * difference
      norm += wanted * wanted
    }
    nmse = squared == 0 ? 0 : squared / norm
    relativeNorm = nmse.squareRoot()
    if !isFinite { (maximumAbsolute, relativeNorm, nmse) = (.nan, .nan, .nan) }
  }

  /// The measures, and beside them the most that the relative norm may be.
  package func json(limit: Double) -> JSONObject {
    [
      "max_abs": JSONValue(maximumAbsolute), "relative_norm": JSONValue(relativeNorm),
      "nmse": JSONValue(nmse), "first_difference": JSONValue(firstDifference),
      "relative_norm_limit": JSONValue(limit),
    ]
  }
}

/// How far two models' predictions are apart, over all positions of a batch.
package struct PredictionAgreement: Equatable, Sendable {
  /// Kullback-Leibler divergence of the reference's next-token distribution from the model's, in
  /// nats, mean over positions.
  package var meanKL: Double
  /// Largest divergence of one position, in nats.
  package var maximumKL: Double
  /// Share of positions whose most likely token is the same.
  package var top1: Double
  /// Share of the reference's ten most likely tokens that are among the model's ten.
  package var top10: Double

  /// Compares `logits` with `reference`, both `[positions, vocabulary]`.
  package init(_ logits: [Float], from reference: [Float], vocabulary: Int) {
    precondition(logits.count == reference.count && vocabulary > 0 && !logits.isEmpty)
    let positions = logits.count / vocabulary
    (meanKL, maximumKL, top1, top10) = (0, 0, 0, 0)
    for position in 0..<positions {
      let range = (position * vocabulary)..<((position + 1) * vocabulary)
      let (model, wanted) = (logits[range], reference[range])
      let divergence = Self.divergence(of: wanted, from: model)
      meanKL += divergence
      maximumKL = max(maximumKL, divergence)
      let (modelTop, wantedTop) = (Self.top(10, of: model), Self.top(10, of: wanted))
      if modelTop.first == wantedTop.first { top1 += 1 }
      let shared = Set(modelTop).intersection(wantedTop).count
      top10 += Double(shared) / Double(wantedTop.count)
    }
    meanKL /= Double(positions)
    top1 /= Double(positions)
    top10 /= Double(positions)
  }

  /// Sum of p (log p - log q) over the vocabulary, in Double; tiny negative rounding is zero.
  private static func divergence(of wanted: ArraySlice<Float>, from model: ArraySlice<Float>)
    -> Double
  {
    let (p, q) = (logSoftmax(wanted), logSoftmax(model))
    var sum = 0.0
    for i in p.indices { sum += exponential(p[i]) * (p[i] - q[i]) }
    return max(0, sum)
  }

  /// Offsets of the `count` largest values, largest first, the lower offset first among equals.
  private static func top(_ count: Int, of values: ArraySlice<Float>) -> [Int] {
    var best: [(value: Float, offset: Int)] = []
    for (offset, value) in values.enumerated() {
      if best.count == count, let last = best.last, value <= last.value { continue }
      let place = best.firstIndex { $0.value < value } ?? best.count
      best.insert((value, offset), at: place)
      if best.count > count { best.removeLast() }
    }
    return best.map(\.offset)
  }

  package var json: JSONObject {
    [
      "kl_mean": JSONValue(meanKL), "kl_max": JSONValue(maximumKL), "top1": JSONValue(top1),
      "top10": JSONValue(top10),
    ]
  }
}
