import Foundation
import Kernels
import ModelGraph
import Testing

@testable import Transformer

@Suite("early exits and shared caches against passes by hand")
struct ExitTests {
  private static let passes = 8
  private static let seed: UInt64 = 7
  private static let promptLength = 4

  private let golden: Golden
  private let model: Model
  private let tokens: [Int32]

  init() throws {
    golden = try Golden("tiny-llama")
    model = try golden.model("retrofit")
    tokens = Array(try golden.batch().tokens[0..<10])
  }

  private func reference() throws -> CachedReference {
    let (graph, source) = try golden.checkpoint("retrofit")
    return try CachedReference(graph, source)
  }

  /// What a rule looks at after the last pass: nil where it needs an earlier prediction.
  private func measure(
    _ rule: ExitRule, _ states: [[Double]], _ thoughts: [CachedReference.Thought]
  ) -> (value: Double, limit: Double)? {
    switch rule {
    case .latent(let limit):
      // |s_k - s_(k-1)| / |s_k|
      let (now, before) = (states[states.count - 1], states[states.count - 2])
      let moved = zip(now, before).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      return ((moved / now.reduce(0) { $0 + $1 * $1 }).squareRoot(), limit)
    case .divergence(let limit):
      guard thoughts.count > 1 else { return nil }
      // KL(p_k || p_(k-1))
      let p = softmax(thoughts[thoughts.count - 1].logits)
      let q = softmax(thoughts[thoughts.count - 2].logits)
      return (zip(p, q).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }, limit)
    }
  }

  /// Decodes the tokens with `rule` and compares depth and prediction of each with the reference,
  /// which evaluates every pass; the depths of the tokens after the prompt.
  private func compare(_ rule: ExitRule, shares: Bool) throws -> [Int] {
    let reference = try reference()
    let decoder = try Decoder(
      model, recurrence: Self.passes, cacheWindow: shares ? 1 : nil, seed: Self.seed)
    var depths: [Int] = []
    for (i, token) in tokens.enumerated() {
      let isPrompt = i < Self.promptLength
      let thoughts = reference.append(
        token, passes: Self.passes, seed: Self.seed,
        seen: { earlier, pass in
          // Tokens of one call run side by side; of an earlier call, the last pass stays in a
          // shared cache, and stands in for the passes that were not made in a cache by pass.
          if isPrompt { return pass }
          return shares ? depths[earlier] - 1 : min(pass, depths[earlier] - 1)
        },
        isEnough: { states, thoughts in
          guard !isPrompt, let (value, limit) = measure(rule, states, thoughts) else {
            return false
          }
          #expect(abs(value / limit - 1) > 1e-3, "too near to the limit to tell")
          return value < limit
        })
      depths.append(thoughts.count)
      if i == Self.promptLength - 1 {
        _ = try decoder.advance(Array(tokens[...i]), exit: rule)
        #expect(decoder.depths == [Self.passes], "a prompt makes all passes")
      }
      if isPrompt { continue }
      let logits = try decoder.advance([token], exit: rule)
      #expect(decoder.depths == [thoughts.count], "token \(i)")
      let wanted = try #require(thoughts.last).logits.map { Float($0) }
      #expect(relativeError(logits.row(0), wanted) < 1e-5, "token \(i)")
    }
    return Array(depths[Self.promptLength...])
  }

  @Test("each token stops at the first pass that moved its state less than the limit")
  func latent() throws {
    let depths = try [1.08, 0.8, 0.7, 0.6].map { try compare(.latent($0), shares: false) }
    #expect(Set(depths.joined()).count > 3, "\(depths)")
  }

  @Test("each token stops at the first pass that moved its prediction less than the limit")
  func divergence() throws {
    let depths = try [0.15, 0.1, 0.06, 0.04].map { try compare(.divergence($0), shares: false) }
    #expect(Set(depths.joined()).count > 3, "\(depths)")
  }

  @Test("in a shared cache later tokens see the last pass of earlier ones, exits or not")
  func sharing() throws {
    #expect(try compare(.latent(1e-9), shares: true) == [8, 8, 8, 8, 8, 8])
    let depths = try [0.7, 0.3].map { try compare(.latent($0), shares: true) }
    #expect(Set(depths.joined()).count > 3, "\(depths)")
    // It is another function of the input, so the comparison above tells the two apart.
    let logits = try [true, false].map { shares in
      let decoder = try Decoder(
        model, recurrence: Self.passes, cacheWindow: shares ? 1 : nil, seed: Self.seed)
      for token in tokens.dropLast() { _ = try decoder.advance([token]) }
      return try decoder.advance([tokens[9]]).floats
    }
    #expect(relativeError(logits[0], logits[1]) > 1e-4)
  }

  /// The last pass of an earlier token that wrote where `pass` reads.
  private func lastPass(in window: Int, for pass: Int) -> Int {
    (0..<Self.passes).last { $0 % window == pass % window } ?? 0
  }

  @Test("in a window of W, pass i sees the last pass j with j ≡ i mod W", arguments: 1...9)
  func windows(window: Int) throws {
    let reference = try reference()
    let decoder = try Decoder(
      model, recurrence: Self.passes, cacheWindow: window, seed: Self.seed)
    // The prompt's tokens run side by side: each pass sees itself.
    let prompt = Array(tokens[..<Self.promptLength])
    for token in prompt {
      _ = reference.append(
        token, passes: Self.passes, seed: Self.seed, seen: { _, pass in pass })
    }
    _ = try decoder.advance(prompt)
    for token in tokens[Self.promptLength...] {
      let thoughts = reference.append(
        token, passes: Self.passes, seed: Self.seed,
        seen: { _, pass in lastPass(in: window, for: pass) })
      let wanted = try #require(thoughts.last).logits.map { Float($0) }
      #expect(relativeError(try decoder.advance([token]).row(0), wanted) < 1e-5)
    }
  }

  @Test("windows differ from each other, and from no window where they are smaller than r")
  func windowsDiffer() throws {
    let all = try [1, 2, 3, 5, 8, 9, nil].map { window in
      let decoder = try Decoder(
        model, recurrence: Self.passes, cacheWindow: window, seed: Self.seed)
      for token in tokens.dropLast() { _ = try decoder.advance([token]) }
      return try decoder.advance([tokens[9]]).floats
    }
    #expect(all[4] == all[6] && all[5] == all[6])
    for i in 0..<4 {
      for j in (i + 1)..<5 { #expect(relativeError(all[i], all[j]) > 1e-5, "\(i) \(j)") }
    }
  }

  @Test("the cache has p + c·min(W, r) + d entries a token", arguments: [1, 3, 8])
  func geometry(passes: Int) throws {
    let body = try #require(model.graph.recurrence)
    let (p, c, d) = (body.prelude.count, body.core.count, body.coda.count)
    #expect((p, c, d) == (2, 4, 2))
    #expect(try Decoder(model, recurrence: passes).entryCount == p + c * passes + d)
    for window in [1, 2, 8, 20] {
      let decoder = try Decoder(model, recurrence: passes, cacheWindow: window)
      #expect(decoder.entryCount == p + c * min(window, passes) + d)
      // Keys and values of 4 bytes each.
      #expect(decoder.bytesPerToken == decoder.entryCount * 8 * model.graph.sizes.keyValueWidth)
    }
  }
}
