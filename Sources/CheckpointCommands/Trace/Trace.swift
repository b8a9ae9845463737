import ArgumentParser
import ByteIO
import JSON
import Kernels
import ModelGraph
import Safetensors
import Tensors
import Transformer

/// What a trace saves.
enum TracePart: String, CaseIterable {
  case logits
  case hidden
  case latent
  case loss
  case gradients
}

/// A comma-separated list of trace parts.
struct TraceParts: ExpressibleByArgument, Equatable {
  var parts: Set<TracePart>

  init(_ parts: Set<TracePart>) { self.parts = parts }

  init?(argument: String) {
    let names = argument.split(separator: ",", omittingEmptySubsequences: false)
    let found = names.compactMap { TracePart(rawValue: String($0)) }
    guard found.count == names.count else { return nil }
    parts = Set(found)
  }
}

/// `N`, or `N,K`: recurrences without gradient, then with.
struct RecurrenceDepth: ExpressibleByArgument, Equatable {
  var withoutGradient: Int
  var withGradient: Int

  init(withoutGradient: Int, withGradient: Int) {
    self.withoutGradient = withoutGradient
    self.withGradient = withGradient
  }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let values = parts.compactMap { Int($0) }
    guard values.count == parts.count, (1...2).contains(values.count),
      values.allSatisfy({ $0 >= 0 }), values.reduce(0, &+) > 0
    else { return nil }
    withoutGradient = values[0]
    withGradient = values.count == 2 ? values[1] : 0
  }

  var total: Int { withoutGradient + withGradient }
}

/// `ckpt trace`: the model's numbers on given inputs, for comparison with another program.
struct Trace: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Write logits, hidden states, latents, loss or gradients to a file.",
    discussion: """
      IN is a safetensors file with input_ids [B, S], and if wanted labels [B, S] (aligned to the \
      logits, -100 ignored) and initial_state [B, S, hidden]. OUT holds logits [B, S, V], hidden \
      [L + 1, B, S, hidden], latent [B, S, hidden], loss [1] and grad.NAME, all float32.

      Example:
        ckpt trace smollm2-r --inputs in.safetensors -o out.safetensors --recurrence 4
        ckpt trace smollm2-r --inputs in.safetensors -o g.safetensors --recurrence 3,2 --save gradients
      """)

  @Argument(help: "Source model or package.", completion: .file()) var model: String

  @Option(help: "Safetensors file with the inputs.", completion: .file()) var inputs: String

  @Option(
    name: [.customShort("o"), .customLong("output")], help: "Safetensors file to write.",
    completion: .file())
  var destination: String

  @Option(help: "Recurrences N, or N,K: N without gradient, then K with.")
  var recurrence: RecurrenceDepth?

  @Option(help: "What to save: logits, hidden, latent, loss, gradients; several with commas.")
  var save = TraceParts([.logits])

  @Option(help: "Seed of the start state when the inputs give none.") var seed: UInt64 = 0

  @OptionGroup var force: ForceOption
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> TraceReport {
    let opened = try OpenedModel(model)
    if recurrence != nil, opened.graph.recurrence == nil { throw ModelError(model, .notRecurrent) }
    let inputs = try TraceInputs(
      ByteRegion(path: self.inputs), hidden: opened.graph.sizes.hidden)
    var tensors: [TracedTensor] = []
    let parts = save.parts
    let workers = compute.workers()
    let runsForward = !parts.isDisjoint(with: [.logits, .hidden, .latent])
    if runsForward || (parts.contains(.loss) && !parts.contains(.gradients)) {
      let model = try opened.load(on: workers)
      if runsForward { tensors += try forward(model, inputs, parts) }
      if !parts.contains(.gradients), parts.contains(.loss) {
        let sum = try model.loss(
          batch(inputs), labels: labels(inputs),
          ForwardOptions(recurrence: recurrence?.total, state: state(inputs)))
        tensors.append(try Self.loss(sum))
      }
    }
    if parts.contains(.gradients) {
      tensors += try gradients(opened, inputs, alsoLoss: parts.contains(.loss), on: workers)
    }
    try write(tensors)
    return TraceReport(
      path: destination, tensors: tensors.map { ($0.name, $0.shape) },
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
    _ opened: OpenedModel, _ inputs: TraceInputs, alsoLoss: Bool, on workers: Workers
  ) throws -> [TracedTensor] {
    let (batch, labels) = (try batch(inputs), try labels(inputs))
    let model = try TrainableModel(opened.graph, from: opened.checkpoint, on: workers)
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

/// One float32 tensor of a trace: a matrix of as many elements as the shape has.
struct TracedTensor {
  var name: String
  var shape: [Int]
  var matrix: Matrix

  init(_ name: String, _ shape: [Int], _ matrix: Matrix) {
    self.name = name
    self.shape = shape
    self.matrix = matrix
  }
}

/// What `ckpt trace` wrote.
struct TraceReport: Report {
  static let command = "trace"

  var path: String
  var tensors: [(name: String, shape: [Int])]
  /// Tensors with values that are NaN or infinite.
  var nonFinite: [String]

  var warnings: [Warning] {
    nonFinite.map {
      Warning(
        "trace.non_finite", "values are NaN or infinite: the arithmetic overflows", file: path,
        tensor: $0)
    }
  }

  var json: JSONObject {
    [
      "path": .string(path),
      "tensors": .array(
        tensors.map {
          ["name": .string($0.name), "shape": .array($0.shape.map { JSONValue($0) })]
        }),
    ]
  }

  var text: String {
    var table = TextTable([.left, .left])
    for tensor in tensors { table.add([tensor.name, "\(tensor.shape)"]) }
    return "\(path)\n" + table.text(indent: 2)
  }
}
