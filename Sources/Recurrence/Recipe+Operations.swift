import ByteIO
package import Tensors

extension Recipe {
  /// The chain of operations in words, for plans and provenance: `["concatenate rows", "cast BF16"]`.
  ///
  /// - Parameter stored: Type of the source's tensors; nil when there is none.
  package func operations(stored: StorageType?) -> [String] {
    var steps: [String] = []
    switch content {
    case .initialised(let initialiser): return [initialiser.description]
    case .rows(let parts):
      if case .block(let type) = stored { steps.append("decode \(type)") }
      for part in parts where part.order != .stored {
        let step = "reorder rows, \(part.order.description)"
        if !steps.contains(step) { steps.append(step) }
      }
      if parts.count > 1 { steps.append("concatenate rows") }
    }
    if let type, stored.map({ $0 != .element(type) }) ?? true { steps.append("cast \(type)") }
    return steps.isEmpty ? ["copy"] : steps
  }

  /// The source tensors, in order.
  package var sources: [RowSource] {
    if case .rows(let parts) = content { parts } else { [] }
  }
}

extension RowOrder {
  fileprivate var description: String {
    switch self {
    case .stored: "stored"
    case .splitHalves(let size): "interleaved to split halves of \(size)"
    case .interleaved(let size): "split halves to interleaved, \(size)"
    }
  }
}

extension Initialiser {
  fileprivate var description: String {
    switch self {
    case .zeros: "initialise zeros"
    case .ones: "initialise ones"
    case .identities(let state, let prelude): "initialise identities \(state), \(prelude)"
    case .uniform(let bound, let seed): "initialise uniform ±\(bound), seed \(seed)"
    case .normal(let deviation, let seed): "initialise normal \(deviation), seed \(seed)"
    }
  }
}
