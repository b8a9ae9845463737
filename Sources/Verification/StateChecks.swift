import ByteIO
import JSON
import Kernels
import ModelGraph
import Tensors
import Transformer

/// Looks at the state of a recurrent model as it recurs.
struct StateChecks {
  /// Recurrences whose states are reported.
  static let depths = [1, 2, 4, 8, 16, 32, 64]

  let model: Model
  let batch: Batch

  func run() throws -> [Check] { [try growth(), try repeatability()] }

  /// Whether the state stays finite, and how its norm grows from r = 1 to 64.
  private func growth() throws -> Check {
    var sizes: [Double] = []
    let options = ForwardOptions(
      recurrence: Self.depths.last, state: .seeded(1), logits: .none)
    _ = try model.forward(batch, options) { sizes.append(rootMeanSquare($0.floats)) }
    if let depth = sizes.firstIndex(where: { !$0.isFinite }) {
      return Check(
        "state.finite", .failed, "the state is not finite after \(depth + 1) recurrences",
        measures: ["recurrence": JSONValue(depth + 1)])
    }
    let growth = (sizes.last ?? 0) / (sizes.first ?? 1)
    let norms: [JSONValue] = Self.depths.map { depth in
      ["recurrence": JSONValue(depth), "rms": JSONValue(sizes[depth - 1])]
    }
    return Check(
      "state.finite", .passed,
      "the state is finite up to r = 64; its root mean square grows \(fixed(growth, 2)) times",
      measures: ["growth": JSONValue(growth), "norms": .array(norms)])
  }

  /// Whether a seed gives the same state each time, and another seed a different one.
  private func repeatability() throws -> Check {
    let first = try latent(recurrence: 2, seed: 7)
    let second = try latent(recurrence: 2, seed: 7)
    guard first == second else {
      return Check("state.seed", .failed, "the same seed gave two different states")
    }
    guard case .normal(let deviation) = model.graph.recurrence?.stateStart, deviation > 0 else {
      return Check("state.seed", .passed, "the state does not depend on a seed, and repeats")
    }
    // The states that recurrences give may agree: an adapter that has not been healed ignores them.
    guard try model.drawnState(tokens: 4, seed: 7) != model.drawnState(tokens: 4, seed: 8) else {
      return Check("state.seed", .failed, "two seeds gave the same first state")
    }
    return Check(
      "state.seed", .passed,
      "the same seed gives the same state, bit for bit, and another seed a different one")
  }

  private func latent(recurrence: Int, seed: UInt64) throws -> [Float] {
    let options = ForwardOptions(recurrence: recurrence, state: .seeded(seed), logits: .none)
    return try model.forward(batch, options).latent?.floats ?? []
  }

  private func rootMeanSquare(_ values: [Float]) -> Double {
    let squares = values.reduce(0.0) { $0 + Double($1) * Double($1) }
    return (squares / Double(max(1, values.count))).squareRoot()
  }
}
