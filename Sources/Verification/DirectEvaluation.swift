import ByteIO
import JSON
import Kernels
import ModelGraph
import Tensors
import Transformer

/// Compares the graph that ships, adapter included, with the textbook formulas in Double.
struct DirectEvaluation {
  /// Largest relative norm: that of float32 arithmetic.
  static let limit = 1e-5
  private static let recurrence = 2
  /// Tokens that are run; the formulas are slow.
  private static let length = 8

  let model: Model
  /// The same model, as the formulas read it.
  let readable: ReadableModel
  let batch: Batch

  func run() throws -> Check {
    let batch = try batch.beginning(Self.length)
    let (count, hidden) = (batch.length, model.graph.sizes.hidden)
    let stream = RandomStream(seed: 11, stream: 0)
    let state = (0..<(count * hidden)).map { Float(stream.truncatedNormal(at: UInt64($0)) * 0.1) }
    let rows = (0..<count).map { row in
      state[(row * hidden)..<((row + 1) * hidden)].map(Double.init)
    }
    let wanted = try ReferenceForward(readable).latent(
      batch.tokens, recurrence: Self.recurrence, state: rows)
    let found = try model.forward(
      batch, ForwardOptions(recurrence: Self.recurrence, state: .given(state), logits: .none))
    let distance = Distance(
      found.latent?.floats ?? [], from: wanted.flatMap { $0.map { Float($0) } })
    let isClose = distance.isFinite && distance.relativeNorm <= Self.limit
    return Check(
      "graph.direct", isClose ? .passed : .failed,
      "two recurrences, adapter included, against the formulas in float64: relative norm "
        + "\(scientific(distance.relativeNorm)), at most \(scientific(Self.limit)) allowed",
      measures: distance.json(limit: Self.limit))
  }
}
