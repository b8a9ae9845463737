import ByteIO
import JSON
import Kernels
import Transformer

/// Compares decoding token by token over the cache with one pass over the whole sequence.
struct CacheCheck {
  /// Largest relative norm: the two sum in different orders.
  static let limit = 1e-4

  let model: Model
  /// One sequence.
  let batch: Batch

  func run() throws -> Check {
    let (depth, seed) = (3, UInt64(5))
    let whole = try model.forward(
      batch, ForwardOptions(recurrence: depth, state: .seeded(seed)))
    guard let wanted = whole.logits?.floats else {
      return Check("cache", .failed, "the model gave no logits")
    }
    let decoder = try Decoder(model, recurrence: depth, seed: seed)
    var found: [Float] = []
    do {
      for id in batch.tokens { found += try decoder.advance([id]).row(0) }
    } catch let error as TransformerError {
      guard case .nonFiniteLogits = error.problem else { throw error }
      return Check("cache", .failed, error.message)
    }
    let distance = Distance(found, from: wanted)
    let isClose = distance.isFinite && distance.relativeNorm <= Self.limit
    return Check(
      "cache", isClose ? .passed : .failed,
      "decoding over the cache, \(decoder.entryCount) entries a token at r = \(depth), against one "
        + "pass: relative norm \(scientific(distance.relativeNorm)), at most "
        + "\(scientific(Self.limit)) allowed",
      measures: distance.json(limit: Self.limit))
  }
}
