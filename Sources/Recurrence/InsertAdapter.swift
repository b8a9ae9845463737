import ByteIO
package import ModelGraph
package import Tensors

/// What the adapter `[h, 2h]` holds before training; the state's columns come first.
package enum AdapterStart: Equatable, Sendable {
  /// `[0 | I]`: at r = 1 the retrofit is exactly the source model's selected layers.
  case prelude
  /// `[I | 0]`: the prelude's output is ignored.
  case state
  /// `[I/2 | I/2]`.
  case average
  /// PyTorch's start of a linear layer, the paper's: uniform within ±1/√(2h).
  case uniform(seed: UInt64)
  /// Takase's: normal with standard deviation √(2/(5h)).
  case takase(seed: UInt64)
  /// No adapter: the prelude's output is added to the state.
  case add
  /// No adapter either: the state is halved, channel by channel, before the prelude's output is added;
  /// how much of each channel stays is trained. From a state of zeros, the first pass gets the prelude's
  /// output as it is.
  case diagonal
  /// No adapter: the state starts as the prelude's output and is passed on, and a gate decides how much
  /// of what a pass changes counts; it starts open. A rank of nil is a sixteenth of the hidden size.
  case gated(rank: Int?, seed: UInt64)
  /// A tensor of the source, `[h, 2h]`.
  case tensor(TensorName, ElementType)

  /// The start's name in configurations and on the command line.
  package var name: String {
    switch self {
    case .prelude: "prelude"
    case .state: "state"
    case .average: "average"
    case .uniform: "uniform"
    case .takase: "takase"
    case .add: "add"
    case .diagonal: "diagonal"
    case .gated: "gated"
    case .tensor: "file"
    }
  }
}

/// Injects the prelude's output before every pass of the core, through an adapter or by addition; or
/// passes the state on through a gate.
package struct InsertAdapter: GraphPass, Equatable {
  package var start: AdapterStart
  /// Type of the adapter; nil takes that of the core's weights.
  package var type: ElementType?

  package init(_ start: AdapterStart, type: ElementType? = nil) {
    self.start = start
    self.type = type
  }

  package var description: String {
    switch start {
    case .prelude: "insert adapter [0 | I]"
    case .state: "insert adapter [I | 0]"
    case .average: "insert adapter [I/2 | I/2]"
    case .uniform(let seed): "insert adapter, uniform, seed \(seed)"
    case .takase(let seed): "insert adapter, normal, seed \(seed)"
    case .add: "inject by addition, without an adapter"
    case .diagonal: "inject by addition, decays of the state start at 1/2"
    case .gated: "pass the state on, and insert a gate on what a pass changes"
    case .tensor(let name, _): "insert adapter from \(name)"
    }
  }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    guard let body = graph.recurrence else { throw RecurrenceError(.notRecurrent) }
    let (hidden, kind) = (graph.sizes.hidden, kind)
    let type = type ?? body.core.first?.weightType ?? graph.embedding.type
    var injection = Injection(kind)
    for role in kind.roles {
      injection.parameters[role] = Parameter(
        name: TensorName(role.name), shape: role.shape(hidden: hidden, rank: rank(hidden: hidden)),
        type: type,
        recipe: Recipe(
          recipe(role, hidden: hidden).content, as: storedType == type ? nil : type))
    }
    return try graph.changingRecurrence { $0.injection = injection }
  }

  private var kind: Injection.Kind {
    switch start {
    case .add: .add
    case .diagonal: .diagonal
    case .gated: .gated
    case .prelude, .state, .average, .uniform, .takase, .tensor: .linear
    }
  }

  /// Type of the tensor the adapter is copied from; nil when it is made.
  private var storedType: ElementType? {
    if case .tensor(_, let type) = start { type } else { nil }
  }

  private func rank(hidden: Int) -> Int {
    if case .gated(let rank?, _) = start { rank } else { max(1, hidden / 16) }
  }

  /// What the parameter that plays `role` starts as.
  private func recipe(_ role: InjectionRole, hidden: Int) -> Recipe {
    let width = Double(hidden)
    return switch start {
    case .prelude: Recipe(.initialised(.identities(state: 0, prelude: 1)))
    case .state: Recipe(.initialised(.identities(state: 1, prelude: 0)))
    case .average: Recipe(.initialised(.identities(state: 0.5, prelude: 0.5)))
    case .uniform(let seed):
      Recipe(.initialised(.uniform(bound: Float(1 / (2 * width).squareRoot()), seed: seed)))
    case .takase(let seed):
      Recipe(
        .initialised(
          .normal(standardDeviation: Float((2 / (5 * width)).squareRoot()), seed: seed)))
    case .add, .diagonal: Recipe(.initialised(.zeros))
    // As low-rank factors start: the gate is open whatever D is, until U has learned something.
    case .gated(_, let seed):
      role == .gateUp
        ? Recipe(.initialised(.zeros))
        : Recipe(.initialised(.uniform(bound: Float(1 / width.squareRoot()), seed: seed)))
    case .tensor(let name, _): .copy(name, rows: hidden)
    }
  }
}

/// Puts an RMSNorm, its scale all ones, on the state after every pass of the core.
package struct InsertCoreNorm: GraphPass, Equatable {
  package init() {}

  package var description: String { "insert a norm after the core" }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    let norm = Parameter(
      name: "core_norm.weight", shape: [graph.sizes.hidden], type: graph.finalNorm.type,
      recipe: Recipe(.initialised(.ones), as: graph.finalNorm.type))
    return try graph.changingRecurrence { $0.coreNorm = norm }
  }
}
