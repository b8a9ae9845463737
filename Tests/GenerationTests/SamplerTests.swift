import Foundation
import Testing

@testable import Generation

@Suite("drawing tokens")
struct SamplerTests {
  /// A thousand logits from -5 to 5, in an order without pattern.
  private static let logits = (0..<1000).map { Float(($0 * 617) % 1000) / 100 - 5 }

  /// Ids by falling logit.
  private static let order = logits.indices.sorted { logits[$0] > logits[$1] }.map { Int32($0) }

  private func draw(
    _ count: Int, temperature: Double = 1, topK: Int? = nil, topP: Double = 1
  ) -> [Int32] {
    let logits = Self.logits
    var sampler = Sampler(temperature: temperature, topK: topK, topP: topP, seed: 3)
    return (0..<count).map { _ in sampler.next(logits.span) }
  }

  /// Softmax at a temperature, in the order of the ids.
  private func probabilities(_ temperature: Double) -> [Double] {
    let weights = Self.logits.map { exp(Double($0) / temperature) }
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
  }

  @Test("temperature 0, one candidate and a tiny share all take the most likely token")
  func greedy() {
    let best = Self.order[0]
    #expect(draw(3, temperature: 0) == [best, best, best])
    #expect(draw(3, topK: 1) == [best, best, best])
    #expect(draw(3, topP: 1e-9) == [best, best, best])
  }

  @Test("among equal logits the lowest id comes first")
  func ties() {
    let logits: [Float] = [1, 3, 3, 2]
    var sampler = Sampler(temperature: 0, topK: nil, topP: 1, seed: 0)
    let greedy = sampler.next(logits.span)
    sampler.temperature = 1
    sampler.topK = 1
    let drawn = sampler.next(logits.span)
    #expect(greedy == 1 && drawn == 1)
  }

  @Test("the K most likely are drawn, and no others", arguments: [5, 40, 700])
  func topK(_ count: Int) {
    let drawn = Set(draw(20_000, temperature: 4, topK: count))
    #expect(drawn.isSubset(of: Self.order.prefix(count)))
    if count == 5 { #expect(drawn.count == 5) }
  }

  @Test("the smallest set that holds the share is drawn from", arguments: [0.1, 0.5, 0.9])
  func topP(_ share: Double) {
    let probabilities = probabilities(1)
    var sum = 0.0
    let last = Self.order.firstIndex {
      sum += probabilities[Int($0)]
      return sum >= share
    }
    let nucleus = Set(Self.order[...(last ?? 0)])
    #expect(Set(draw(20_000, topP: share)) == nucleus)
  }

  @Test("tokens come as often as the softmax says", arguments: [0.5, 1, 2])
  func frequencies(_ temperature: Double) {
    let count = 40_000
    let drawn = draw(count, temperature: temperature)
    let best = Self.order[0]
    let expected = probabilities(temperature)[Int(best)] * Double(count)
    let found = Double(drawn.count { $0 == best })
    // Five standard deviations of a Poisson count.
    #expect(abs(found - expected) < 5 * expected.squareRoot())
  }
}
