import Kernels
import ModelGraph
import Tensors
import Testing

@testable import Transformer

@Suite("decoding with a cache")
struct DecoderTests {
  static let tolerance = 1e-5

  /// Decodes the golden tokens, 5 at once and then one by one, against the full pass.
  private func compare(_ model: Model, _ batch: Batch, recurrence: Int?) throws {
    // The full pass gives its second sequence a random state of its own, a decoder does not.
    let rows = try (0..<2).map { b in
      let alone = try Batch(tokens: Array(batch.tokens[b * 12..<(b + 1) * 12]), sequences: 1)
      return try #require(
        try model.forward(alone, ForwardOptions(recurrence: recurrence, state: .seeded(7))).logits
      ).floats
    }
    let full = try Matrix(rows: 24, columns: rows[0].count / 12)
    full.assign(rows[0] + rows[1])
    let decoder = try Decoder(model, sequences: 2, recurrence: recurrence, seed: 7)
    for b in 0..<2 {
      let logits = try decoder.advance(Array(batch.tokens[b * 12..<b * 12 + 5]), of: b)
      #expect(relativeError(logits.row(0), full.row(b * 12 + 4)) < Self.tolerance)
    }
    for i in 5..<12 {
      let logits = try decoder.advance(
        (0..<2).map { Decoder.Next(sequence: $0, token: batch.tokens[$0 * 12 + i]) })
      for b in 0..<2 {
        let want = full.row(b * 12 + i)
        #expect(relativeError(logits.row(b), want) < Self.tolerance, "token \(i)")
      }
    }
    let body = model.graph.recurrence
    let core = (body?.core.count ?? 0) * (recurrence ?? 0)
    #expect(decoder.entryCount == model.graph.blocks.count - (body?.core.count ?? 0) + core)
  }

  @Test("source models predict as in the full pass", arguments: Golden.sources)
  func source(name: String) throws {
    let golden = try Golden(name)
    try compare(try golden.model("source"), try golden.batch(), recurrence: nil)
  }

  @Test("retrofits predict as in the full pass", arguments: Golden.retrofits, [1, 2, 4])
  func retrofit(name: String, recurrence: Int) throws {
    let golden = try Golden(name)
    try compare(try golden.model("retrofit"), try golden.batch(), recurrence: recurrence)
  }

  @Test("a cache grows past its first size without a change")
  func growth() throws {
    let model = try Golden("tiny-llama3-rope").model("retrofit")
    let tokens = (0..<100).map { Int32($0 * 7 % 80) }
    let batch = try Batch(tokens: tokens, sequences: 1)
    let full = try #require(
      try model.forward(batch, ForwardOptions(recurrence: 2, logits: .last)).logits)
    let decoder = try Decoder(model, recurrence: 2)
    for token in tokens.dropLast() { _ = try decoder.advance([token]) }
    let logits = try decoder.advance([tokens[99]])
    #expect(relativeError(logits.floats, full.floats) < Self.tolerance)
  }

  @Test("padding on the left leaves predictions unchanged")
  func padding() throws {
    let golden = try Golden("tiny-llama")
    let model = try golden.model("source")
    let tokens = Array(try golden.batch().tokens[0..<6])
    let plain = try Decoder(model).advance(tokens).floats
    let batch = try Batch(
      tokens: [0, 0, 0] + tokens, sequences: 1,
      firstVisible: [Int32](repeating: 3, count: 9))
    let full = try #require(try model.forward(batch, ForwardOptions(logits: .last)).logits)
    #expect(relativeError(full.floats, plain) < Self.tolerance)
  }

  @Test("packed documents do not see each other")
  func packing() throws {
    let golden = try Golden("tiny-olmo2")
    let model = try golden.model("source")
    let tokens = Array(try golden.batch().tokens[0..<12])
    let starts = [Int32](repeating: 0, count: 5) + [Int32](repeating: 5, count: 7)
    let packed = try #require(
      try model.forward(Batch(tokens: tokens, sequences: 1, firstVisible: starts)).logits)
    let alone = try #require(
      try model.forward(Batch(tokens: Array(tokens[5...]), sequences: 1)).logits)
    #expect(relativeError(packed.rows(5..<12).floats, alone.floats) < Self.tolerance)
  }

  @Test("an exit that never comes changes nothing, one that comes at once makes one pass")
  func exits() throws {
    let golden = try Golden("tiny-llama")
    let model = try golden.model("retrofit")
    let token = try golden.batch().tokens[0]
    let full = try Decoder(model, recurrence: 4).advance([token]).floats
    for rule in [ExitRule.latent(0), .divergence(-1)] {
      let decoder = try Decoder(model, recurrence: 4)
      #expect(try decoder.advance([token], exit: rule).floats == full)
      #expect(decoder.depths == [4])
    }
    let early = try Decoder(model, recurrence: 4)
    let once = try Decoder(model, recurrence: 1).advance([token]).floats
    #expect(try early.advance([token], exit: .latent(.infinity)).floats == once)
    #expect(early.depths == [1])
    let second = try Decoder(model, recurrence: 4)
    _ = try second.advance([token], exit: .divergence(.infinity))
    #expect(second.depths == [2])
  }

  @Test("passes that share a cache keep one entry for each core block")
  func sharing() throws {
    let golden = try Golden("tiny-llama")
    let model = try golden.model("retrofit")
    let tokens = Array(try golden.batch().tokens[0..<6])
    let decoder = try Decoder(model, recurrence: 8, cacheWindow: 1)
    #expect(decoder.entryCount == model.graph.blocks.count)
    #expect(isFinite(try decoder.advance(tokens)))
    let (one, shared) = (
      try Decoder(model, recurrence: 1),
      try Decoder(model, recurrence: 1, cacheWindow: 1)
    )
    #expect(try one.advance(tokens).floats == shared.advance(tokens).floats)
  }

  @Test("a long prompt in parts, and what was rewound, leave predictions unchanged")
  func rewinding() throws {
    let golden = try Golden("tiny-llama")
    let model = try golden.model("retrofit")
    let tokens = Array(try golden.batch().tokens[0..<12])
    let decoder = try Decoder(model, recurrence: 3, seed: 7)
    let wanted = try decoder.advance(tokens).floats
    decoder.rewind(to: 4)
    _ = try decoder.advance([1, 2, 3])
    decoder.rewind(to: 4)
    #expect(relativeError(try decoder.advance(Array(tokens[4...])).floats, wanted) < Self.tolerance)
  }

  @Test("scores of what follows are the losses of the full pass", arguments: [1, 3])
  func losses(recurrence: Int) throws {
    let golden = try Golden("tiny-llama3-rope")
    let model = try golden.model("retrofit")
    let tokens = Array(try golden.batch().tokens[0..<12])
    let labels = [Int32](repeating: -100, count: 6) + tokens[7...] + [-100]
    let whole = try model.loss(
      Batch(tokens: tokens, sequences: 1), labels: labels,
      ForwardOptions(recurrence: recurrence, state: .seeded(7)))
    let decoder = try Decoder(model, recurrence: recurrence, seed: 7)
    _ = try decoder.advance(Array(tokens[..<6]))
    let losses = try decoder.losses(Array(tokens[6..<11]), labels: Array(tokens[7...]))
    #expect(losses.count == 5)
    let sum = losses.reduce(0.0) { $0 + Double($1) }
    #expect(abs(sum - whole.nats) < 1e-5 * whole.nats)
  }
}
