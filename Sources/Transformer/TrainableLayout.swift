import Kernels
import ModelGraph

/// What of a model is trained.
package struct TrainedParts: Sendable {
  /// The fields that are trained as they are.
  package var isWhole: @Sendable (Field.Role) -> Bool
  /// Factors to be trained beside them.
  package var lowRank: LowRank?

  package init(lowRank: LowRank? = nil, isWhole: @escaping @Sendable (Field.Role) -> Bool) {
    self.isWhole = { role in
      // What no pass reads has no gradient: it must not decay either.
      if case .exitGate = role { return false }
      return isWhole(role)
    }
    self.lowRank = lowRank
  }

  package static let all = TrainedParts { _ in true }
}

/// Where everything lies in the flat buffer of parameters: first the low-rank factors, then the
/// fields that are trained whole, then the rest. Gradients have the first two alone, at the same
/// places.
struct TrainableLayout {
  private(set) var factors: [LowRankFactors] = []
  private(set) var tensors: [TrainableTensor] = []
  private(set) var offsets: [Field.Role: Int] = [:]
  let fields: [Field]
  /// Floats that are trained.
  private(set) var trainedCount = 0
  private(set) var count = 0

  init(_ graph: ModelGraph, _ parts: TrainedParts) {
    fields = Field.all(of: graph)
    if let lowRank = parts.lowRank { place(lowRank, graph) }
    for field in fields where parts.isWhole(field.role) { place(field, isTrained: true) }
    trainedCount = count
    for field in fields where !parts.isWhole(field.role) { place(field, isTrained: false) }
  }

  private mutating func place(_ lowRank: LowRank, _ graph: ModelGraph) {
    for field in fields {
      guard case .block(let block, let role) = field.role else { continue }
      for place in LowRank.places(in: graph.blocks[block].spec, graph.sizes)
      where place.field == role && lowRank.roles.contains(place.role) {
        let offsetB = count + Arena.rounded(lowRank.rank * field.columns)
        factors.append(
          LowRankFactors(
            block: block, role: place.role, expert: place.expert, field: field.role,
            rows: place.rows, columns: field.columns, rank: lowRank.rank, offsetA: count,
            offsetB: offsetB))
        count = offsetB + Arena.rounded(place.rows.count * lowRank.rank)
      }
    }
  }

  private mutating func place(_ field: Field, isTrained: Bool) {
    offsets[field.role] = count
    var start = count
    for part in field.parts {
      tensors.append(
        TrainableTensor(parameter: part, role: field.role, offset: start, isTrained: isTrained))
      start += part.elementCount
    }
    count += Arena.rounded(field.count)
  }
}
