import ArgumentParser
import ByteIO
import JSON
import Kernels
import ModelGraph
import Models
import Safetensors
import Tensors
import Transformer

/// `ckpt trace`: the model's numbers on given inputs, for comparison with another program.
struct Trace: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Write logits, hidden states, latents, loss or gradients to a file.",
    discussion: """
      IN is a safetensors file with input_ids [B, S], and optionally labels [B, S] (aligned to the \
      logits, -100 ignored) and initial_state [B, S, hidden]. OUT holds logits [B, S, V], hidden \
      [L + 1, B, S, hidden], latent [B, S, hidden], loss [1] and grad.NAME, all float32.

      Example:
        ckpt trace smollm2-r --inputs in.safetensors -o out.safetensors
        ckpt trace smollm2-r --inputs in.safetensors -o g.safetensors --save gradients
      """)

  @Argument(help: "Source model or package.", completion: .file()) var model: String

  @Option(help: "Safetensors file with the inputs.", completion: .file()) var inputs: String

  @Option(
    name: [.customShort("o"), .customLong("output")], help: "Safetensors file to write.",
    completion: .file())
  var destination: String

  @Option(help: "Recurrences N,K: N without gradient, then K with; N alone is N,0.")
  var recurrence: RecurrenceDepth?

  @Option(help: "What to save; several with commas between.")
  var save = TraceParts([.logits])

  @Option(help: "Seed for the start state when the inputs give none.") var seed: UInt64 = 0

  @OptionGroup var force: ForceOption
  @OptionGroup var threading: ThreadOptions
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> TraceReport {
    let opened = try OpenedModel(model, ignoring: configuration.ignoring)
    if recurrence != nil, opened.graph.recurrence == nil { throw ModelError(model, .notRecurrent) }
    let inputs = try TraceInputs(
      ByteRegion(path: self.inputs), hidden: opened.graph.sizes.hidden)
    var tensors: [TracedTensor] = []
    let parts = save.parts
    let compute = try threading.compute()
    let runsForward = !parts.isDisjoint(with: [.logits, .hidden, .latent])
    if runsForward || (parts.contains(.loss) && !parts.contains(.gradients)) {
      let model = try opened.load(on: compute)
      if runsForward { tensors += try forward(model, inputs, parts) }
      if !parts.contains(.gradients), parts.contains(.loss) {
        let sum = try model.loss(
          batch(inputs), labels: labels(inputs),
          ForwardOptions(recurrence: recurrence?.total, state: state(inputs)))
        tensors.append(try Self.loss(sum))
      }
    }
    if parts.contains(.gradients) {
      tensors += try gradients(opened, inputs, alsoLoss: parts.contains(.loss), on: compute)
    }
    try write(tensors)
    return TraceReport(
      path: destination, tensors: tensors.map { ($0.name, $0.shape) },
      loss: tensors.first { $0.name == "loss" }.map { Double($0.matrix[0, 0]) },
      lacksGradient: parts.contains(.gradients) && opened.graph.recurrence != nil
        && recurrence?.withGradient ?? 0 == 0,
      nonFinite: tensors.filter { !isFinite($0.matrix) }.map(\.name))
  }

  private func batch(_ inputs: TraceInputs) throws -> Batch {
    try Batch(tokens: inputs.tokens, sequences: inputs.sequences)
  }

  private func labels(_ inputs: TraceInputs) throws(TraceError) -> [Int32] {
    guard let labels = inputs.labels else {
      throw TraceError(self.inputs, .missing, tensor: "labels")
    }
    return labels
  }

  private func state(_ inputs: TraceInputs) -> InitialState {
    inputs.initialState.map { .given($0) } ?? .seeded(seed)
  }

  private func forward(
    _ model: Model, _ inputs: TraceInputs, _ parts: Set<TracePart>
  ) throws -> [TracedTensor] {
    let options = ForwardOptions(
      recurrence: recurrence?.total, state: state(inputs),
      logits: parts.contains(.logits) ? .all : .none, keepsHidden: parts.contains(.hidden))
    let result = try model.forward(batch(inputs), options)
    let positions = [inputs.sequences, inputs.length]
    let hidden = model.graph.sizes.hidden
    var tensors: [TracedTensor] = []
    if let logits = result.logits {
      tensors.append(TracedTensor("logits", positions + [logits.columns], logits))
    }
    if let states = result.hidden {
      let layers = states.rows / inputs.tokens.count
      tensors.append(TracedTensor("hidden", [layers] + positions + [hidden], states))
    }
    if parts.contains(.latent) {
      guard let latent = result.latent else { throw ModelError(self.model, .notRecurrent) }
      tensors.append(TracedTensor("latent", positions + [hidden], latent))
    }
    return tensors
  }

  private func gradients(
    _ opened: OpenedModel, _ inputs: TraceInputs, alsoLoss: Bool, on compute: Compute
  ) throws -> [TracedTensor] {
    let (batch, labels) = (try batch(inputs), try labels(inputs))
    let model = try TrainableModel(opened.graph, from: opened.checkpoint, on: compute)
    let depth = opened.graph.recurrence.map {
      recurrence ?? RecurrenceDepth(withoutGradient: $0.meanRecurrence, withGradient: 0)
    }
    let sum = try model.lossAndGradient(
      batch, labels: labels, noGradSteps: depth?.withoutGradient ?? 0,
      gradSteps: depth?.withGradient ?? 0, state: state(inputs))
    let gradients = model.tensors.map { tensor in
      let shape = tensor.parameter.shape
      let rows = shape.first ?? 1
      return TracedTensor(
        "grad.\(tensor.parameter.name)", shape,
        Matrix(
          model.gradients, offset: tensor.offset, rows: rows, columns: tensor.count / max(1, rows)))
    }
    return (alsoLoss ? [try Self.loss(sum)] : []) + gradients
  }

  private static func loss(_ sum: LossSum) throws -> TracedTensor {
    let matrix = try Matrix(rows: 1, columns: 1)
    matrix.assign([Float(sum.mean)])
    return TracedTensor("loss", [1], matrix)
  }

  private func write(_ tensors: [TracedTensor]) throws {
    let layout = try SafetensorsLayout(
      tensors.map { .init(name: TensorName($0.name), type: .f32, shape: $0.shape) },
      metadata: [("format", "ckpt.trace/1")])
    let staged = try StagedOutput(
      at: destination, isFolder: false, force: force.force, inputs: [inputs],
      needed: layout.byteCount)
    var writer = try SafetensorsWriter(creating: staged.temporary, layout: layout)
    for entry in layout.entries {
      guard let tensor = tensors.first(where: { TensorName($0.name) == entry.tensor.name }) else {
        continue
      }
      for row in 0..<tensor.matrix.rows {
        let values = tensor.matrix.row(row)
        var bytes = [UInt8](repeating: 0, count: values.count * 4)
        var span = bytes.mutableRawSpan
        _ = try encode(values.span, as: .f32, into: &span)
        try writer.write(bytes.rawSpan)
      }
    }
    _ = try writer.finish()
    try staged.publish()
  }
}
