import ByteIO
package import Kernels
import ModelGraph
package import Models
package import Tensors
package import Training
package import Transformer

/// A transformer as the trainer sees it.
package final class NetworkTraining: TrainingModel {
  package let network: TrainableModel
  package let tensors: [TrainedTensor]
  package let teacher: Teacher?

  /// How each micro-batch runs.
  package let plan: ActivationPlan
  /// Bytes of weights, gradients, optimizer state, activations and what else the run works in.
  package let byteCount: Int

  /// Beside the buffers: the program, its libraries' own memory, the data's cache.
  private static let reserve = 56 << 20
  /// Activations of a small model may take more than a share of it.
  private static let leastActivations = 256 << 20

  /// - Parameter settings: Say what of it is trained, and who teaches it.
  package init(_ model: OpenedModel, _ settings: TrainingSettings, on compute: Compute) throws {
    // An adapter, or what another kind of injection learns in its place.
    if settings.mode == .adapter,
      model.graph.recurrence?.injection.parameters.isEmpty ?? true
    {
      throw TrainingError(.notTrainable("the model has no adapter to train"), model.path)
    }
    let network = try TrainableModel(
      model.graph, from: model.checkpoint, on: compute,
      deepest: model.graph.recurrence == nil ? 0 : settings.deepestBackprop,
      training: settings.trainedParts)
    self.network = network
    if settings.mode == .lora, !settings.lora.matrices.isEmpty, network.factors.isEmpty {
      let names = settings.lora.matrices.map(\.rawValue).joined(separator: ", ")
      throw TrainingError(
        .notTrainable(
          "no block has a matrix that lora.matrices names (\(names))"), model.path)
    }
    let factors = network.factors.flatMap { Self.tensors(of: $0) }
    tensors = factors + Self.fields(network.tensors.filter(\.isTrained))
    guard !tensors.isEmpty else {
      throw TrainingError(.notTrainable("no part of the model is trained"), model.path)
    }
    let distillation = settings.distillation
    teacher =
      distillation.teacher.isEmpty
      ? nil
      : try Teacher(
        OpenedModel(distillation.teacher).load(on: compute), for: network,
        DistillationMix(
          temperature: Float(distillation.temperature), mix: Float(distillation.mix)))
    let optimizer = Optimizer.byteCounts(settings.optimizer, tensors)
    let kept = network.parameters.byteCount + network.gradients.byteCount + optimizer.state
    let packing = 4 * compute.precision.workspaceFloats * compute.count
    let supervision = Self.supervisionBytes(settings, hidden: network.network.sizes.hidden)
    let beside =
      optimizer.work + (teacher?.byteCount ?? 0) + packing + supervision + Self.reserve
    let budget = settings.memoryBudget
    network.settlingWeight = settings.recurrence.settling
    network.supervision = settings.recurrence.supervision
    network.activationBudget =
      budget == 0 ? max(Self.leastActivations, kept / 4 - beside) : budget - kept - beside
    plan = network.plan(
      sequences: settings.effectiveMicroBatchSize, length: settings.sequenceLength)
    byteCount = kept + beside + plan.byteCount
    guard budget == 0 || byteCount <= budget else {
      throw TrainingError(.memoryBudget(budget, needed: byteCount), model.path)
    }
  }

  /// What losses of shallower states need, if a whole micro-batch runs at once.
  private static func supervisionBytes(_ settings: TrainingSettings, hidden: Int) -> Int {
    let supervision = settings.recurrence.supervision
    let rows = settings.effectiveMicroBatchSize * settings.sequenceLength
    let states = supervision.byteCount(
      steps: settings.deepestBackprop, rowBytes: 4 * rows * hidden)
    // A teacher has room for its logits already.
    let needsLogits = states > 0 && supervision.distils && settings.distillation.teacher.isEmpty
    return states + (needsLogits ? ActivationPlan.logitBytes : 0)
  }

  /// Factors are under Adam: Muon's update has as large a share in every direction, which a factor
  /// that starts at 0 does not want.
  private static func tensors(of factors: LowRankFactors) -> [TrainedTensor] {
    let expert = factors.expert.map { "[\($0)]" } ?? ""
    let name = "\(factors.block).\(factors.role.rawValue)\(expert)"
    return [
      TrainedTensor(
        name: name + ".A", shape: [factors.rank, factors.columns], offset: factors.offsetA,
        isBodyMatrix: false),
      TrainedTensor(
        name: name + ".B", shape: [factors.rows.count, factors.rank], offset: factors.offsetB,
        isBodyMatrix: false),
    ]
  }

  package var parameters: Buffer { network.parameters }
  package var gradients: Buffer { network.gradients }
  package var isRecurrent: Bool { network.graph.recurrence != nil }
  package var hasTeacher: Bool { teacher != nil }

  /// Tensors that lie together as one matrix of the network are one to the optimizer, whatever the
  /// package's dialect. Each expert's matrices are its own, packed or not.
  private static func fields(_ tensors: [TrainableTensor]) -> [TrainedTensor] {
    var fields: [TrainedTensor] = []
    var last: Field.Role?
    for tensor in tensors {
      let shape = tensor.parameter.shape
      if case .block(_, let role) = tensor.role, role.isOfExperts {
        add(tensor, of: role, to: &fields, isFirst: tensor.role != last)
      } else if tensor.role == last, var field = fields.popLast() {
        field.shape[0] += shape[0]
        fields.append(field)
      } else {
        let isBody = tensor.role != .embedding && tensor.role != .head
        fields.append(
          TrainedTensor(
            name: tensor.parameter.name.string, shape: shape, offset: tensor.offset,
            isBodyMatrix: isBody && shape.count == 2))
      }
      last = tensor.role
    }
    return fields
  }

  /// Adds one expert's tensor, or the matrices of all: gate and up are one, as in any MLP.
  private static func add(
    _ tensor: TrainableTensor, of role: BlockRole, to fields: inout [TrainedTensor], isFirst: Bool
  ) {
    let (name, shape) = (tensor.parameter.name.string, tensor.parameter.shape)
    if shape.count == 3 {
      let size = shape[1] * shape[2]
      for expert in 0..<shape[0] {
        fields.append(
          TrainedTensor(
            name: "\(name)[\(expert)]", shape: [shape[1], shape[2]],
            offset: tensor.offset + expert * size, isBodyMatrix: true))
      }
    } else if !isFirst, role == .expertsGateUp, var gate = fields.last, gate.shape == shape,
      gate.offset + gate.elementCount == tensor.offset
    {
      gate.shape[0] += shape[0]
      fields[fields.count - 1] = gate
    } else {
      fields.append(
        TrainedTensor(name: name, shape: shape, offset: tensor.offset, isBodyMatrix: true))
    }
  }

  package var gradientStages: [[Range<Int>]] { network.gradientStages.map(\.ranges) }

  package func observeStages(_ observer: ((_ stage: Int) -> Void)?) {
    network.stageCompleted = nil
    guard let observer else { return }
    let numbers = Dictionary(
      network.gradientStages.enumerated().map { ($1.stage, $0) }, uniquingKeysWith: { a, _ in a })
    network.stageCompleted = { stage in
      if let number = numbers[stage] { observer(number) }
    }
  }

  package func accumulate(
    _ batch: TokenBatch, _ draw: RecurrenceDraw, stateSeed: UInt64, scale: Double
  ) throws -> MicroBatchLoss {
    let rows = try Batch(batch)
    let (without, with) = isRecurrent ? (draw.withoutGradient, draw.withGradient) : (0, 0)
    guard let teacher else {
      let sum = try network.lossAndGradient(
        rows, labels: batch.labels, noGradSteps: without, gradSteps: with,
        state: .drawn(stateSeed), scale: scale)
      return MicroBatchLoss(
        sum.mean, settling: network.settlingLoss, supervision: network.supervisionLoss)
    }
    let sums = try network.lossAndGradient(
      rows, labels: batch.labels, from: teacher, noGradSteps: without, gradSteps: with,
      state: .drawn(stateSeed), scale: scale)
    return MicroBatchLoss(
      sums.labels.mean, divergence: sums.teacher.mean, settling: network.settlingLoss,
      supervision: network.supervisionLoss)
  }

  package func parametersChanged() throws { try network.parametersChanged() }

  package func losses(
    _ batch: TokenBatch, recurrence: Int?, stateSeed: UInt64
  ) throws -> [LossSum] {
    try network.losses(
      Batch(batch), labels: batch.labels, recurrence: recurrence, state: .seeded(stateSeed))
  }

  /// The parameters by their names in the package.
  package var source: ParameterSource {
    ParameterSource(
      buffer: parameters,
      places: Dictionary(
        network.tensors.map {
          ($0.parameter.name, .init(shape: $0.parameter.shape, offset: $0.offset))
        }, uniquingKeysWith: { first, _ in first }))
  }
}

extension Batch {
  init(_ batch: TokenBatch) throws {
    try self.init(
      tokens: batch.tokens, sequences: batch.rows, firstVisible: batch.firstVisible,
      firstSequence: batch.firstRow)
  }
}

extension TrainingSettings {
  fileprivate var trainedParts: TrainedParts {
    switch mode {
    case .full: return .all
    case .adapter: return TrainedParts { if case .injection = $0 { true } else { false } }
    case .lora:
      let whole = Set(lora.whole)
      let lowRank = LowRank(
        rank: lora.rank, alpha: lora.alpha,
        roles: lora.matrices.flatMap(\.roles), seed: seed)
      return TrainedParts(lowRank: lowRank) { LoRA.Part(of: $0).map(whole.contains) ?? false }
    }
  }
}

extension TrainingSettings.LoRA.Matrix {
  /// The roles of that name: the MLP's, and the same of each expert.
  fileprivate var roles: [BlockRole] {
    let own = BlockRole(rawValue: rawValue).map { [$0] } ?? []
    switch self {
    case .gate: return own + [.expertGate]
    case .up: return own + [.expertUp]
    case .down: return own + [.expertDown]
    case .query, .key, .value, .output: return own
    }
  }
}

extension TrainingSettings.LoRA.Part {
  /// The part that a field belongs to; nil for what only factors change.
  fileprivate init?(of role: Field.Role) {
    switch role {
    case .embedding: self = .embedding
    case .head: self = .head
    case .injection: self = .adapter
    case .coreNorm, .finalNorm: self = .norms
    case .exitGate: return nil
    case .block(_, let role):
      guard role.facts.isNorm else { return nil }
      self = .norms
    }
  }
}
