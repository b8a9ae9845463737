import Glibc
import Tensors

/// Chooses the next token from logits: greedy, or at random after temperature, top-k and top-p.
struct Sampler {
  /// 0 is greedy.
  var temperature: Double
  /// Tokens that are kept, most likely first; nil keeps all.
  var topK: Int?
  /// Share of the probability that is kept, most likely first; 1 keeps all.
  var topP: Double
  private let random: RandomStream
  private var drawn: UInt64 = 0

  init(temperature: Double, topK: Int?, topP: Double, seed: UInt64) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    random = RandomStream(seed: seed, stream: 1)
  }

  /// The next token; among equal logits the lowest id comes first.
  mutating func next(_ logits: [Float]) -> Int32 {
    guard temperature > 0 else {
      var best = 0
      for i in logits.indices where logits[i] > logits[best] { best = i }
      return Int32(best)
    }
    let order = logits.indices.sorted {
      (logits[$0], $1) > (logits[$1], $0)
    }.prefix(topK ?? logits.count)
    let largest = Double(logits[order[order.startIndex]])
    let weights = order.map { exp((Double(logits[$0]) - largest) / temperature) }
    let total = weights.reduce(0, +)
    // The smallest set of most likely tokens whose share reaches topP.
    var kept = 0
    var share = 0.0
    while kept < weights.count, kept == 0 || share < topP * total {
      share += weights[kept]
      kept += 1
    }
    var left = random.uniform(at: drawn) * share
    drawn += 1
    for i in 0..<kept {
      left -= weights[i]
      if left < 0 { return Int32(order[order.startIndex + i]) }
    }
    return Int32(order[order.startIndex + kept - 1])
  }
}
