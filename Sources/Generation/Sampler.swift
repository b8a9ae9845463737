import Kernels
import Platform
import Tensors

/// Chooses the next token from logits, which are finite.
package struct Sampler {
  /// 0 is greedy.
  package var temperature: Double
  /// Tokens that are kept, most likely first; nil keeps all.
  package var topK: Int?
  /// Share of the kept tokens' probability that stays, most likely first; 1 keeps all.
  package var topP: Double
  private let random: RandomStream
  private var drawn: UInt64 = 0
  /// Room that every draw uses again.
  private var candidates: [Candidate] = []

  private struct Candidate {
    var logit: Float
    var id: Int32
    /// Probability times a common factor.
    var weight: Double

    /// Whether it is taken before `other`: by logit, then by id.
    func precedes(_ other: Candidate) -> Bool {
      logit == other.logit ? id < other.id : logit > other.logit
    }
  }

  /// Takes the most likely token.
  package static let greedy = Sampler(temperature: 0, topK: nil, topP: 1, seed: 0)

  package init(temperature: Double, topK: Int?, topP: Double, seed: UInt64) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    random = RandomStream(seed: seed, stream: 1)
  }

  /// The next token of a vocabulary of `count`: rows of the embedding beyond it are padding, and no
  /// tokens.
  mutating func next(_ logits: Matrix, row: Int, of count: Int) -> Int32 {
    logits.withRow(row) { next($0.extracting(..<min($0.count, count))) }
  }

  /// The next token; among equal logits the lowest id comes first.
  package mutating func next(_ logits: Span<Float>) -> Int32 {
    let best = Self.largest(logits)
    guard temperature > 0 else { return Int32(best) }
    collect(logits, largest: logits[best])
    if let topK, topK < candidates.count {
      candidates.sort { $0.precedes($1) }
      candidates.removeLast(candidates.count - topK)
    }
    if topP < 1 { keepNucleus() }
    let share = candidates.reduce(0.0) { $0 + $1.weight }
    var left = random.uniform(at: drawn) * share
    drawn += 1
    for candidate in candidates {
      left -= candidate.weight
      if left < 0 { return candidate.id }
    }
    return candidates.last?.id ?? Int32(best)
  }

  private static func largest(_ logits: Span<Float>) -> Int {
    var best = 0
    for i in logits.indices where logits[i] > logits[best] { best = i }
    return best
  }

  /// Puts the tokens that may be among the kept ones into `candidates`, by id.
  private mutating func collect(_ logits: Span<Float>, largest: Float) {
    candidates.removeAll(keepingCapacity: true)
    let floor = topK.map { Self.floor(logits, $0) } ?? -.infinity
    for i in logits.indices where logits[i] >= floor {
      let weight = exp((Double(logits[i]) - Double(largest)) / temperature)
      candidates.append(Candidate(logit: logits[i], id: Int32(i), weight: weight))
    }
  }

  /// A value that at least `count` logits reach, and few more: the `count`th largest among the
  /// maxima of short stretches.
  private static func floor(_ logits: Span<Float>, _ count: Int) -> Float {
    let stretch = 32
    guard count <= logits.count / stretch else { return -.infinity }
    var maxima: [Float] = []
    for start in stride(from: 0, to: logits.count, by: stretch) {
      var most = logits[start]
      for i in start..<min(start + stretch, logits.count) { most = max(most, logits[i]) }
      maxima.append(most)
    }
    maxima.sort(by: >)
    return maxima[count - 1]
  }

  /// Keeps the smallest set of most likely candidates whose share of the weight reaches `topP`.
  private mutating func keepNucleus() {
    let total = candidates.reduce(0.0) { $0 + $1.weight }
    // All that are less likely than this have less than the share that may go: none is needed.
    let floor = (1 - topP) * total / Double(candidates.count)
    candidates.removeAll { $0.weight < floor }
    candidates.sort { $0.precedes($1) }
    var share = 0.0
    let end = candidates.firstIndex { candidate in
      share += candidate.weight
      return share >= topP * total
    }
    if let end { candidates.removeLast(candidates.count - end - 1) }
  }
}
