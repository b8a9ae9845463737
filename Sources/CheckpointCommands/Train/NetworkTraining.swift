import ByteIO
import Kernels
import ModelGraph
import Recurrence
import Tensors
import Training
import Transformer

/// A transformer as the trainer sees it.
final class NetworkTraining: TrainingModel {
  let network: TrainableModel
  let tensors: [TrainedTensor]

  /// - Parameter mode: What of it is trained.
  init(_ model: OpenedModel, mode: TrainingSettings.Mode, on workers: Workers) throws {
    switch mode {
    case .full: network = try TrainableModel(model.graph, from: model.checkpoint, on: workers)
    case .adapter:
      guard model.graph.recurrence?.adapter != nil else {
        throw TrainingError(.notTrainable("the model has no adapter to train"), model.path)
      }
      network = try TrainableModel(model.graph, from: model.checkpoint, on: workers) {
        $0 == .adapter
      }
    }
    tensors = Self.fields(network.tensors.filter(\.isTrained))
  }

  var parameters: Buffer { network.parameters }
  var gradients: Buffer { network.gradients }
  var isRecurrent: Bool { network.graph.recurrence != nil }

  /// Tensors that lie together as one matrix of the network are one to the optimizer, whatever the
  /// package's dialect.
  private static func fields(_ tensors: [TrainableTensor]) -> [TrainedTensor] {
    var fields: [TrainedTensor] = []
    var last: Field.Role?
    for tensor in tensors {
      let shape = tensor.parameter.shape
      if tensor.role == last, var field = fields.popLast() {
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

  func accumulate(
    _ batch: TokenBatch, _ draw: RecurrenceDraw, stateSeed: UInt64
  ) throws -> Double {
    // A batch of prompts alone has nothing to learn.
    if batch.targetCount == 0 { return 0 }
    let sum = try network.lossAndGradient(
      Batch(tokens: batch.tokens, sequences: batch.rows), labels: batch.labels,
      noGradSteps: isRecurrent ? draw.withoutGradient : 0,
      gradSteps: isRecurrent ? draw.withGradient : 0, state: .seeded(stateSeed))
    return sum.mean
  }

  func loss(_ batch: TokenBatch, recurrence: Int?, stateSeed: UInt64) throws -> Double {
    try network.loss(
      Batch(tokens: batch.tokens, sequences: batch.rows), labels: batch.labels,
      recurrence: recurrence, state: .seeded(stateSeed)
    ).mean
  }

  /// The parameters by their names in the package.
  var source: ParameterSource {
    ParameterSource(
      buffer: parameters,
      places: Dictionary(
        network.tensors.map {
          ($0.parameter.name, .init(shape: $0.parameter.shape, offset: $0.offset))
        }, uniquingKeysWith: { first, _ in first }))
  }
}

extension FLOPLedger {
  /// The ledger of a model.
  init(_ graph: ModelGraph) {
    let counts = ParameterCounts(graph)
    let body = graph.recurrence
    self.init(
      prelude: counts.layers + counts.prelude, core: counts.core, coda: counts.coda,
      adapter: counts.adapter, head: graph.embedding.elementCount,
      attention: 2 * graph.sizes.queryWidth,
      preludeBlocks: body?.prelude.count ?? graph.blocks.count,
      coreBlocks: body?.core.count ?? 0, codaBlocks: body?.coda.count ?? 0)
  }
}
