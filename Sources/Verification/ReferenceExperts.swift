import ModelGraph
import Platform

/// Mixtures of experts in Double, token by token (Shazeer et al. 2017).
extension ReferenceForward {
  func mixture(
    _ block: Block, _ spec: ExpertSpec, _ input: [[Double]]
  ) throws -> [[Double]] {
    let router = try matrix(need(block, .router))
    let experts = try (0..<spec.count).map { try expert($0, of: block, spec) }
    return input.map { x in
      let scores = product(router, x)
      let top = scores.max() ?? 0
      let exponentials = scores.map { exp($0 - top) }
      let sum = exponentials.reduce(0, +)
      // Of equal ones the first, as everywhere.
      let ranked = scores.indices.sorted { (exponentials[$0], -$0) > (exponentials[$1], -$1) }
      let chosen = Array(ranked.prefix(spec.chosen))
      let divisor =
        spec.isNormalised ? chosen.reduce(0.0) { $0 + exponentials[$1] } : sum
      var result = [Double](repeating: 0, count: x.count)
      for index in chosen {
        let gate = product(experts[index].gate, x)
        let up = product(experts[index].up, x)
        let active = zip(gate, up).map { activated($0, block.spec.mlp.activation) * $1 }
        for (i, value) in product(experts[index].down, active).enumerated() {
          result[i] += value * exponentials[index] / divisor
        }
      }
      return result
    }
  }

  private struct Expert {
    var gate: [[Double]]
    var up: [[Double]]
    var down: [[Double]]
  }

  /// The matrices of one expert, which are tensors of their own or lie in those of all.
  private func expert(_ index: Int, of block: Block, _ spec: ExpertSpec) throws -> Expert {
    func single(_ role: BlockRole) throws -> [[Double]] {
      let found = block.parameters.first { $0.role == role && $0.expert == index }
      guard let found else { throw VerificationError(.missingPart(role.rawValue)) }
      return try matrix(found.parameter)
    }
    func packed(_ parameter: Parameter) throws -> [[Double]] {
      let (height, width) = (parameter.shape[1], parameter.shape[2])
      let values = try matrix(parameter)[index]
      return (0..<height).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }
    guard let both = block[.expertsGateUp] else {
      return Expert(
        gate: try single(.expertGate), up: try single(.expertUp), down: try single(.expertDown))
    }
    let rows = try packed(both)
    return Expert(
      gate: Array(rows[..<spec.width]), up: Array(rows[spec.width...]),
      down: try packed(need(block, .expertsDown)))
  }
}
