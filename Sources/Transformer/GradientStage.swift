/// A part of the network whose gradients a backward pass completes at once.
package enum GradientStage: Hashable, Sendable {
  /// The final norm, unless passes of the core meet it too, and the head where it is not the
  /// embedding.
  case output
  case block(Int)
  case coreNorm
  case injection
  case embedding

  init(_ role: Field.Role, _ network: Network) {
    let isMetAgain = network.recurrence?.meetsFinalNorm ?? false
    self =
      switch role {
      case .finalNorm where isMetAgain: .injection
      case .finalNorm, .head: .output
      case .block(let index, _): .block(index)
      case .coreNorm, .exitGate: .coreNorm
      case .injection: .injection
      case .embedding: .embedding
      }
  }
}

extension TrainableModel {
  /// The stages in the order in which a backward pass completes them, each with its floats in
  /// `gradients`.
  ///
  /// The core takes part in every pass with gradient, so its blocks are complete only in the
  /// backward pass of the first; the adapter also feeds on the sum over all of them, and a tied
  /// embedding on head and input.
  package var gradientStages: [(stage: GradientStage, ranges: [Range<Int>])] {
    func blocks(_ range: Range<Int>) -> [GradientStage] {
      range.reversed().map { .block($0) }
    }
    let order =
      [.output] + blocks(network.codaBlocks) + [.coreNorm] + blocks(network.coreBlocks)
      + [.injection] + blocks(network.preludeBlocks) + [.embedding]
    var ranges: [GradientStage: [Range<Int>]] = [:]
    for tensor in tensors where tensor.isTrained {
      ranges[GradientStage(tensor.role, network), default: []].append(
        tensor.offset..<(tensor.offset + tensor.count))
    }
    for factors in factors {
      ranges[.block(factors.block), default: []] += [
        factors.offsetA..<(factors.offsetA + factors.rank * factors.columns),
        factors.offsetB..<(factors.offsetB + factors.rows.count * factors.rank),
      ]
    }
    return order.compactMap { stage in ranges[stage].map { (stage, $0) } }
  }
}
