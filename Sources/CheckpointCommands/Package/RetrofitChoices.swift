import ArgumentParser
import ByteIO
import Checkpoint
import Models
import Recurrence
import Tensors
import Transformer

/// What becomes of the layers once they are selected.
struct RetrofitChoices: ParsableArguments {
  @Option(
    help: """
      How the adapter [h, 2h] starts, state columns first: prelude ([0|I]), state ([I|0]), \
      average, uniform (PyTorch's), takase (normal), or a file that has it; add, diagonal and gated \
      have none: the prelude's output is added, with diagonal to a state whose channels decay; with \
      gated the state starts there and is passed on, and a gate learns how much a pass changes it.
      """, completion: .list(AdapterChoice.starts))
  var adapter = "prelude"
  @Option(help: "Rank of the gate of --adapter gated; a sixteenth of the hidden size if not given.")
  var gateRank: Int?
  @Option(
    help: """
      How the state starts; if not given huginn, or zero with --adapter diagonal, or embedding with \
      --adapter gated.
      """)
  var state: RetrofitOptions.State?
  @Option(
    help: """
      Text on which to measure the scale of the prelude's output: --state calibrated starts the state \
      there, and other starts give a warning if they are far from it.
      """, completion: .file())
  var calibrateOn: String?
  @Flag(help: "Put a norm on the state after every pass of the core.") var coreNorm = false
  @Option(help: "The head: untied (a tensor of its own), tied, or keep.")
  var head = RetrofitOptions.Head.untied
  @Option(help: "Names and configuration: raven (the published retrofits') or native.")
  var dialect = Dialect.raven
  @Option(help: "Type of all tensors.")
  var dtype = StoredType.keep
  @Option(help: "Seed for random start values.") var seed: UInt64 = 74
  @Option(help: "Recurrences that the model runs unless asked otherwise.") var meanRecurrence = 32
  @Option(help: "Recurrences that training goes back through.") var meanBackprop = 8

  mutating func validate() throws {
    guard state != .calibrated || calibrateOn != nil else {
      throw ValidationError("--state calibrated needs a text: --calibrate-on FILE.")
    }
    if adapter == "gated" {
      guard state == nil || state == .embedding, !coreNorm else {
        throw ValidationError(
          "--adapter gated passes the state on: it starts as the prelude's output, without --core-norm."
        )
      }
    } else if gateRank != nil {
      throw ValidationError("--gate-rank is for --adapter gated.")
    }
    guard gateRank ?? 1 > 0 else { throw ValidationError("--gate-rank must be positive.") }
    let possible = 1...Model.mostRecurrences
    guard possible.contains(meanRecurrence), possible.contains(meanBackprop) else {
      throw ValidationError(
        "--mean-recurrence and --mean-backprop must be from 1 to \(Model.mostRecurrences).")
    }
  }

  /// Everything but selection and adapter.
  var options: RetrofitOptions {
    var options = RetrofitOptions()
    options.state = state ?? defaultState
    options.normAfterCore = coreNorm
    options.head = head
    options.dialect = dialect
    options.type = dtype.elementType
    options.meanRecurrence = meanRecurrence
    options.meanBackpropDepth = meanBackprop
    return options
  }

  /// Where the first pass is the source's layers, bit for bit, if there is no adapter to see to it.
  private var defaultState: RetrofitOptions.State {
    switch adapter {
    case "diagonal": .zero
    case "gated": .embedding
    default: .huginn
    }
  }

  /// The adapter's start; a name is what it says, anything else is a file.
  func adapter(hidden: Int) throws -> AdapterChoice {
    switch adapter {
    case "prelude": return AdapterChoice(start: .prelude)
    case "state": return AdapterChoice(start: .state)
    case "average": return AdapterChoice(start: .average)
    case "uniform": return AdapterChoice(start: .uniform(seed: seed))
    case "takase": return AdapterChoice(start: .takase(seed: seed))
    case "add": return AdapterChoice(start: .add)
    case "diagonal": return AdapterChoice(start: .diagonal)
    case "gated":
      if let gateRank, gateRank > hidden / 2 {
        throw UsageError(
          "--gate-rank is \(gateRank), but the hidden size is \(hidden)",
          hint: "give at most half of it, \(hidden / 2)")
      }
      return AdapterChoice(start: .gated(rank: gateRank, seed: seed))
    default:
      guard try pathKind(adapter) != nil else {
        throw UsageError(
          "\"\(adapter)\" is neither a start of the adapter nor a file",
          hint: nearestSpelling(to: adapter, among: AdapterChoice.starts).map {
            "did you mean \($0)?"
          } ?? "starts: " + AdapterChoice.starts.joined(separator: ", "))
      }
      return try AdapterChoice(file: adapter, hidden: hidden)
    }
  }
}

/// How the adapter starts, and the checkpoint it is read from if it is.
struct AdapterChoice {
  /// The starts that have a name.
  static let starts = [
    "prelude", "state", "average", "uniform", "takase", "add", "diagonal", "gated",
  ]

  var start: AdapterStart
  /// The files the adapter is read from.
  private(set) var inputs: [ByteRegion] = []
  private var checkpoint: Checkpoint?
  private var record: TensorRecord?

  init(start: AdapterStart) { self.start = start }

  /// The tensor of shape `[hidden, 2 * hidden]` in a weight file that is alone, or called adapter.
  init(file: String, hidden: Int) throws {
    let (checkpoint, inputs) = try Checkpoint.openingFiles(file)
    let shape = [hidden, 2 * hidden]
    let candidates = checkpoint.tensors.filter { $0.shape == shape }
    let names = ["adapter", "adapter.weight", "transformer.adapter.weight"]
    let named = candidates.filter { names.contains($0.name.string) }
    guard let record = named.count == 1 ? named[0] : candidates.count == 1 ? candidates[0] : nil
    else { throw RecurrenceError(.noAdapter(file: file, shape: shape)) }
    let type: ElementType = if case .element(let type) = record.type { type } else { .f32 }
    start = .tensor(OverlaidSource.name, type)
    self.inputs = inputs
    self.checkpoint = checkpoint
    self.record = record
  }

  /// `source` with the adapter's tensor beside its own.
  func overlay(_ source: Checkpoint) -> any RecipeSource {
    guard let checkpoint, let record else { return source }
    return OverlaidSource(base: source, other: checkpoint, tensor: record)
  }
}

/// Types that a package's tensors can be stored in.
enum StoredType: ExpressibleByArgument, CaseIterable {
  case keep, f32, f16, bf16, f64

  init?(argument: String) {
    let names: [String: Self] = [
      "keep": .keep, "f32": .f32, "float32": .f32, "f16": .f16, "float16": .f16, "bf16": .bf16,
      "bfloat16": .bf16, "f64": .f64, "float64": .f64,
    ]
    guard let type = names[argument] else { return nil }
    self = type
  }

  static var allValueStrings: [String] { allCases.map { "\($0)" } }
  var defaultValueDescription: String { "\(self)" }

  /// Nil keeps each tensor's own.
  var elementType: ElementType? {
    switch self {
    case .keep: nil
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    case .f64: .f64
    }
  }
}

extension RetrofitOptions.State: ExpressibleByArgument {}
extension RetrofitOptions.Head: ExpressibleByArgument {}
extension Dialect: ExpressibleByArgument {}
