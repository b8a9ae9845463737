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

/// A decoder to be trained: float32 parameters in one buffer, gradients in another.
///
/// What is trained stands at the start of both, at the same places; the gradients end with it. One
/// call at a time. After the first step of a size nothing is allocated.
package final class TrainableModel {
  package let graph: ModelGraph
  package let compute: Compute
  package let parameters: Buffer
  /// Gaps between tensors, which round each up to a cache line, stay 0 in both buffers.
  package let gradients: Buffer
  package let tensors: [TrainableTensor]
  /// Factors of the matrices that are adapted by a low rank.
  package let factors: [LowRankFactors]
  package let lowRank: LowRank?
  /// The parameters as the network sees them; adapted matrices hold W₀ + scale · B · A.
  package let network: Network
  /// What the network is made of.
  let weights: [Field.Role: Weight]
  /// Fields that are not trained have no rows here.
  let gradientNetwork: Network
  /// Bytes that activations may take; what does not fit is computed again in the backward pass.
  package var activationBudget: Int
  /// Passes with gradient that a step may have; one with more has a plan of its own.
  private let deepest: Int
  /// Fields that are trained whole.
  let trained: Set<Field.Role>
  private let adapted: [Field.Role: [LowRankFactors]]
  private let fields: [(field: Field, offset: Int)]
  private let loader: WeightLoader
  /// Is told of each stage as soon as a backward pass adds nothing more to its gradients; stages
  /// without trained tensors and those that the pass does not reach are told of or not.
  package var stageCompleted: ((GradientStage) -> Void)?
  /// How uneven the experts' loads were in the last step with gradients: k, the experts of a token,
  /// where they are even, and up to E where all tokens choose the same; nil where no loss balances
  /// them.
  package internal(set) var balanceLoss: Double?
  /// Weight of a penalty on the last pass's step beside the cross-entropy; 0 for none.
  package var settlingWeight = 0.0
  /// The mean over learned tokens of ‖s_r - s_{r-1}‖² / ‖s_{r-1}‖² in the last step that penalised it;
  /// nil where none did, as at r = 1.
  package internal(set) var settlingLoss: Double?
  /// Losses of shallower states beside the last one's.
  package var supervision = DeepSupervision()
  /// Their mean over learned tokens and depths in the last step; nil where there was none, as at r = 1.
  package internal(set) var supervisionLoss: Double?
  var supervisionRoom: SupervisionRoom?
  var room: TrainingRoom?
  var lowRankRoom: LowRankRoom?
  var teacherLogits: Matrix?
  private var rotation = RotationTables()

  /// Loads the parameters.
  ///
  /// - Parameters:
  ///   - source: Is read again for matrices that are adapted, after each change of their factors.
  ///   - activationBudget: Bytes for activations; nil takes as much as the parameters, at least
  ///     256 MiB.
  ///   - deepest: Passes with gradient to have room for from the start, so that steps of different
  ///     depths work in the same memory.
  ///   - parts: What is trained.
  package init(
    _ graph: ModelGraph, from source: any RecipeSource, on compute: Compute,
    activationBudget: Int? = nil, deepest: Int = 0, training parts: TrainedParts = .all
  ) throws {
    let layout = TrainableLayout(graph, parts)
    self.graph = graph
    self.compute = compute
    tensors = layout.tensors
    factors = layout.factors
    lowRank = parts.lowRank
    trained = Set(tensors.filter(\.isTrained).map(\.role))
    adapted = Dictionary(grouping: factors, by: \.field)
    parameters = try Buffer(floats: layout.count)
    gradients = try Buffer(floats: layout.trainedCount)
    self.activationBudget = activationBudget ?? max(256 << 20, 4 * layout.count)
    self.deepest = deepest
    loader = WeightLoader(source)
    fields = layout.fields.map { ($0, layout.offsets[$0.role] ?? 0) }
    for (field, offset) in fields { try loader.loadFloats(field, into: parameters, at: offset) }
    for factor in factors { factor.start(in: parameters, seed: parts.lowRank?.seed ?? 0) }
    let views = Self.views(parameters, fields) { _ in true }
    weights = views
    network = try Network(graph) { views[$0] }
    let gradientViews = Self.views(gradients, fields) { parts.isWhole($0) }
    gradientNetwork = try Network(graph) { gradientViews[$0] }
  }

  private static func views(
    _ buffer: Buffer, _ fields: [(field: Field, offset: Int)],
    _ isPresent: (Field.Role) -> Bool
  ) -> [Field.Role: Weight] {
    let weights = fields.map { field, offset in
      let isPresent = isPresent(field.role)
      return (
        field.role,
        Weight(
          buffer, offset: isPresent ? offset : 0, rows: isPresent ? field.rows : 0,
          columns: field.columns, form: .f32)
      )
    }
    return Dictionary(weights, uniquingKeysWith: { first, _ in first })
  }

  /// Makes the adapted matrices anew after their factors have changed: W₀ is read from the source.
  package func parametersChanged() throws {
    guard let lowRank else { return }
    for (field, offset) in fields {
      guard let factors = adapted[field.role] else { continue }
      try loader.loadFloats(field, into: parameters, at: offset, isChecked: true)
      let whole = Matrix(parameters, offset: offset, rows: field.rows, columns: field.columns)
      for factor in factors {
        addLowRank(
          whole.rows(factor.rows), factor.b(in: parameters), factor.a(in: parameters),
          scale: Float(lowRank.scale), on: compute)
      }
    }
  }

  /// Whether gradients are wanted of anything before the core.
  package var isPreludeTrained: Bool {
    let prelude = network.preludeBlocks
    return (Array(trained) + adapted.keys).contains { role in
      if case .block(let index, _) = role { return prelude.contains(index) }
      return role == .embedding
    }
  }

  /// How batches of this size are trained.
  package func plan(sequences: Int, length: Int, gradSteps: Int = 0) -> ActivationPlan {
    ActivationPlan(
      network, sequences: sequences, length: length, steps: max(gradSteps, deepest),
      budget: activationBudget)
  }

  /// Cosines and sines for sequences of `length` tokens.
  func rotation(_ length: Int) throws(MemoryError) -> [RotationTable] {
    try rotation.prepare(network, length: length)
    return rotation.tables
  }

  /// Block `index` with its gradients.
  func gradient(_ index: Int) -> BlockGradient {
    BlockGradient(
      weights: network.blocks[index], gradients: gradientNetwork.blocks[index],
      isTrained: { self.trained.contains(.block(index, $0)) },
      lowRank: { self.lowRankGradients(.block(index, $0)) })
  }

  private func lowRankGradients(_ role: Field.Role) -> [LowRankGradient] {
    guard let lowRank, let lowRankRoom, let factors = adapted[role] else { return [] }
    return factors.map {
      LowRankGradient(
        factors: $0, parameters: parameters, gradients: gradients, scale: Float(lowRank.scale),
        room: lowRankRoom)
    }
  }
}
