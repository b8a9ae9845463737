package import Kernels
package import ModelGraph
package import Tensors

/// One parameter of the graph and its place in the flat buffers.
package struct TrainableTensor: Sendable {
  package let parameter: Parameter
  /// The part of the network that it is, or is some rows of.
  package let role: Field.Role
  /// First float in `parameters` and `gradients`.
  package let offset: Int
  /// Whether gradients are computed for it.
  package let isTrained: Bool

  package var count: Int { parameter.elementCount }
}

/// A decoder to be trained: float32 parameters in one buffer, gradients in another of the same
/// layout.
///
/// One call at a time. After the first step of a size nothing is allocated.
package final class TrainableModel {
  package let graph: ModelGraph
  package let workers: Workers
  package let parameters: Buffer
  /// Gaps between tensors, which round each up to a cache line, stay 0 in both buffers.
  package let gradients: Buffer
  package let tensors: [TrainableTensor]
  /// The parameters as the network sees them.
  package let network: Network
  let gradientNetwork: Network
  /// Bytes that activations may take; what does not fit is computed again in the backward pass.
  package let activationBudget: Int
  let trained: Set<Field.Role>
  var room: TrainingRoom?
  private var table: RotationTable?

  /// Loads the parameters.
  ///
  /// - Parameters:
  ///   - activationBudget: Bytes for activations; nil takes as much as the parameters, at least
  ///     256 MiB.
  ///   - isTrained: Which parts to compute gradients for; nil means all.
  package init(
    _ graph: ModelGraph, from source: any RecipeSource, on workers: Workers,
    activationBudget: Int? = nil, isTrained: ((Field.Role) -> Bool)? = nil
  ) throws {
    let fields = Field.all(of: graph)
    var offsets: [Field.Role: Int] = [:]
    var tensors: [TrainableTensor] = []
    var count = 0
    for field in fields {
      offsets[field.role] = count
      var start = count
      for part in field.parts {
        tensors.append(
          TrainableTensor(
            parameter: part, role: field.role, offset: start,
            isTrained: isTrained?(field.role) ?? true))
        start += part.elementCount
      }
      count += Arena.rounded(field.count)
    }
    self.graph = graph
    self.workers = workers
    self.tensors = tensors
    trained = Set(tensors.filter(\.isTrained).map(\.role))
    let (parameters, gradients) = (try Buffer(floats: count), try Buffer(floats: count))
    (self.parameters, self.gradients) = (parameters, gradients)
    self.activationBudget = activationBudget ?? max(256 << 20, 4 * count)
    let loader = WeightLoader(source)
    var shapes: [Field.Role: Field] = [:]
    for field in fields {
      try loader.loadFloats(field, into: parameters, at: offsets[field.role] ?? 0)
      shapes[field.role] = field
    }
    func views(_ buffer: Buffer) throws(TransformerError) -> Network {
      try Network(graph) { role in
        guard let field = shapes[role], let offset = offsets[role] else { return nil }
        return Weight(
          buffer, offset: offset, rows: field.rows, columns: field.columns, form: .f32)
      }
    }
    network = try views(parameters)
    gradientNetwork = try views(gradients)
  }

  /// Cosines and sines for at least `count` positions.
  func rotation(_ count: Int) throws(MemoryError) -> RotationTable {
    if let table, table.positions >= count { return table }
    let new = try RotationTable(
      frequencies: graph.rotary.frequencies(headSize: network.sizes.headSize), positions: count)
    table = new
    return new
  }

  /// Block `index` with its gradients.
  func gradient(_ index: Int) -> BlockGradient {
    BlockGradient(weights: network.blocks[index], gradients: gradientNetwork.blocks[index]) {
      self.trained.contains(.block(index, $0))
    }
  }
}
