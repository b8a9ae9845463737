import ByteIO
package import Tensors

extension Recipe {
  /// The chain of operations in words, for plans and provenance: `["concatenate rows", "cast BF16"]`.
  ///
  /// - Parameters:
  ///   - stored: Types of the source's tensors; none where there is no source. Parts of one tensor may
  ///     be of several.
  ///   - encodings: Kinds of codes, in words, that give the values of those types.
  package func operations(stored: [StorageType], encodings: [String] = []) -> [String] {
    var steps: [String] = []
    switch content {
    case .initialised(let initialiser): return [initialiser.description]
    case .rows(let parts):
      for encoding in encodings where !steps.contains("decode \(encoding)") {
        steps.append("decode \(encoding)")
      }
      for stored in stored {
        guard case .block(let type) = stored, !steps.contains("decode \(type)") else { continue }
        steps.append("decode \(type)")
      }
      for part in parts where part.order != .stored {
        let step = "reorder rows, \(part.order.description)"
        if !steps.contains(step) { steps.append(step) }
      }
      if parts.count > 1 { steps.append("concatenate rows") }
      if offset != 0 { steps.append("add \(offset)") }
    }
    if let type, stored.isEmpty || stored.contains(where: { $0 != .element(type) }) {
      steps.append("cast \(type)")
    }
    return steps.isEmpty ? ["copy"] : steps
  }

  /// The same for a recipe that is carried out on `source`.
  package func operations(on source: any RecipeSource) -> [String] {
    let records = sources.compactMap { source.record($0.tensor) }
    return operations(stored: records.map(\.type), encodings: records.compactMap(\.encoding))
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
  /// Reads what `operations` says of a tensor that came from no source; nil for any other chain.
  package init?(operations: [String]) {
    let words = operations.first?.split { " ,±".contains($0) }.map(String.init) ?? []
    guard words.count > 1 else { return nil }
    let number = words.dropFirst(2).first.flatMap { Float($0) }
    let last = words[words.count - 1]
    switch words[1] {
    case "zeros": self = .zeros
    case "ones": self = .ones
    case "identities":
      guard let state = number, let prelude = Float(last) else { return nil }
      self = .identities(state: state, prelude: prelude)
    case "uniform":
      guard let bound = number, let seed = UInt64(last) else { return nil }
      self = .uniform(bound: bound, seed: seed)
    case "normal":
      guard let deviation = number, let seed = UInt64(last) else { return nil }
      self = .normal(standardDeviation: deviation, seed: seed)
    default: return nil
    }
    // Nothing but what is written above may have been read.
    guard operations == [description] else { return nil }
  }

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
