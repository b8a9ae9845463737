import Glibc

/// Kullback-Leibler divergence in nats of softmax(`logits`) from softmax(`reference`).
func divergenceOfSoftmax(_ logits: [Float], from reference: [Float]) -> Double {
  func logSum(_ x: [Float]) -> Double {
    let top = Double(x.max() ?? 0)
    return top + log(x.reduce(0.0) { $0 + exp(Double($1) - top) })
  }
  let (a, b) = (logSum(logits), logSum(reference))
  return zip(logits, reference).reduce(0.0) { sum, pair in
    let now = Double(pair.0) - a
    return sum + exp(now) * (now - (Double(pair.1) - b))
  }
}
