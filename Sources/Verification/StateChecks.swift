import ByteIO
import JSON
import Kernels
import ModelGraph
import Tensors
import Transformer

/// Looks at the state of a recurrent model as it recurs.
struct StateChecks {
  /// Recurrences at which the state is looked at.
  static let depths = [1, 2, 4, 8, 16, 32, 64]

  let model: Model
  let tokens: ProbeTokens

  func run() throws -> [Check] { [try growth(), try repeatability()] }

  /// Whether the state stays finite, and how its norm grows from r = 1 to 64.
  private func growth() throws -> Check {
    var norms: [JSONValue] = []
    var sizes: [Double] = []
    for depth in Self.depths {
      let latent = try latent(recurrence: depth, seed: 1)
      let size = rootMeanSquare(latent)
      guard size.isFinite else {
        return Check(
          "state.finite", .failed, "the state is not finite after \(depth) recurrences",
          measures: ["recurrence": JSONValue(depth)])
      }
      sizes.append(size)
      norms.append(["recurrence": JSONValue(depth), "rms": JSONValue(size)])
    }
    let growth = (sizes.last ?? 0) / (sizes.first ?? 1)
    return Check(
      "state.finite", .passed,
      "the state is finite up to r = 64; its root mean square grows \(fixed(growth, 2)) times",
      measures: ["growth": JSONValue(growth), "norms": .array(norms)])
  }

  /// Whether a seed gives the same state each time, and another seed another one.
  private func repeatability() throws -> Check {
    let first = try latent(recurrence: 2, seed: 7)
    let second = try latent(recurrence: 2, seed: 7)
    guard first == second else {
      return Check("state.seed", .failed, "the same seed gave two different states")
    }
    guard case .normal(let deviation) = model.graph.recurrence?.stateStart, deviation > 0 else {
      return Check("state.seed", .passed, "the state does not depend on a seed, and repeats")
    }
    return Check("state.seed", .passed, "the same seed gives the same state, bit for bit")
  }

  private func latent(recurrence: Int, seed: UInt64) throws -> [Float] {
    let batch = try Batch(tokens: tokens.tokens, sequences: tokens.sequences)
    let options = ForwardOptions(recurrence: recurrence, state: .seeded(seed), logits: .none)
    return try model.forward(batch, options).latent?.floats ?? []
  }

  private func rootMeanSquare(_ values: [Float]) -> Double {
    let squares = values.reduce(0.0) { $0 + Double($1) * Double($1) }
    return (squares / Double(max(1, values.count))).squareRoot()
  }
}
