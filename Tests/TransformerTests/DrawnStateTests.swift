import Kernels
import ModelGraph
import Testing

@testable import Transformer

/// The golden retrofits draw the start of their state, so that it shows in their logits.
@Suite("a start that is drawn")
struct DrawnStateTests {
  private let golden: Golden
  private let tokens: [Int32]
  private static let options = ForwardOptions(recurrence: 3, state: .seeded(7))

  init() throws {
    golden = try Golden("tiny-llama")
    tokens = try golden.batch().tokens
  }

  private func model() throws -> Model { try golden.model("retrofit") }

  private func logits(_ batch: Batch) throws -> [Float] {
    try #require(try model().forward(batch, Self.options).logits).floats
  }

  @Test("is the same whatever runs beside a sequence")
  func batches() throws {
    let alone = try (0..<2).map { row in
      try logits(Batch(tokens: Array(tokens[row * 12..<row * 12 + 12]), sequences: 1))
    }
    let together = try logits(Batch(tokens: tokens, sequences: 2))
    #expect(relativeError(together, alone[0] + alone[1]) < 1e-6)
    let packed = try logits(
      Batch(
        tokens: tokens, sequences: 1,
        firstVisible: [Int32](repeating: 0, count: 12) + [Int32](repeating: 12, count: 12)))
    #expect(relativeError(packed, alone[0] + alone[1]) < 1e-5)
  }

  @Test("is the same where a sequence is padded on its left")
  func padding() throws {
    let wanted = try logits(Batch(tokens: Array(tokens[0..<6]), sequences: 1))
    let padded = try Batch(
      tokens: [0, 0, 0] + tokens[0..<6] + tokens[12..<21], sequences: 2,
      firstVisible: [Int32](repeating: 3, count: 9) + [Int32](repeating: 0, count: 9))
    let both = try logits(padded)
    let width = both.count / 18
    #expect(relativeError(Array(both[(3 * width)..<(9 * width)]), wanted) < 1e-5)
  }

  @Test("differs from sequence to sequence in training alone")
  func training() throws {
    let model = try model()
    let alike = try Batch(tokens: Array(tokens[0..<12] + tokens[0..<12]), sequences: 2)
    func rows(_ state: InitialState) throws -> (first: [Float], second: [Float]) {
      let logits = try model.forward(alike, ForwardOptions(recurrence: 3, state: state)).logits
      let values = try #require(logits).floats
      return (Array(values[..<(values.count / 2)]), Array(values[(values.count / 2)...]))
    }
    let (seeded, drawn) = (try rows(.seeded(7)), try rows(.drawn(7)))
    #expect(seeded.first == seeded.second && seeded.first == drawn.first)
    #expect(relativeError(drawn.first, drawn.second) > 1e-4)
  }
}
