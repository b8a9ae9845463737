import Platform

func exponential(_ x: Double) -> Double { exp(x) }

/// Logarithms of the probabilities that `logits` stand for, in Double.
func logSoftmax(_ logits: ArraySlice<Float>) -> [Double] {
  let largest = Double(logits.max() ?? 0)
  let shifted = logits.map { Double($0) - largest }
  let total = log(shifted.reduce(0) { $0 + exp($1) })
  return shifted.map { $0 - total }
}
