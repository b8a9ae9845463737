import Tensors

/// How the prelude's output e enters before every pass of the core, as data: u = f(s, e), with s the
/// state; and what the pass's output becomes.
///
/// What is computed stands in `Injector` and `StateGate` of the module Transformer.
package struct Injection: Equatable, Sendable {
  package enum Kind: String, CaseIterable, Sendable {
    /// u = A · [s ; e], state columns first (McLeish et al. 2025, section 3).
    case linear
    /// u = s + e.
    case add
    /// u = d ⊙ s + e, where d = sigmoid(w) forgets a share of each channel (Parcae, arXiv 2604.12946:
    /// a decay between 0 and 1, and the identity for e).
    case diagonal
    /// u = s, from s₀ = e; and of the core's output c, s′ = c + tanh(U D n) ⊙ (c − s), where n is c − s
    /// over its root mean square: a gate of low rank on what changes, which starts open, U being zero
    /// (LoopUS, arXiv 2605.11010, has the idea). A change counts between 0 and 2 times.
    case gated
    /// u = e at the first pass, and then the model's final norm of the state: passes that follow one
    /// another, as of a whole stack that is run several times (Zhu et al. 2025, Ouro).
    case carry

    /// The parameters that this kind has.
    package var roles: [InjectionRole] {
      switch self {
      case .linear: [.adapter]
      case .diagonal: [.decay]
      case .gated: [.gateDown, .gateUp]
      case .add, .carry: []
      }
    }

    /// What tables of a model's parts call its parameters.
    package var part: String {
      switch self {
      case .linear, .add, .carry: "adapter"
      case .diagonal: "decay"
      case .gated: "gate"
      }
    }

    /// Whether e enters at every pass, and not only as the first state.
    package var readsPrelude: Bool {
      switch self {
      case .linear, .add, .diagonal: true
      case .gated, .carry: false
      }
    }
  }

  package var kind: Kind
  /// One for each of the kind's roles.
  package var parameters: [InjectionRole: Parameter]

  package init(_ kind: Kind, _ parameters: [InjectionRole: Parameter] = [:]) {
    self.kind = kind
    self.parameters = parameters
  }

  /// Rank of a gate; nil of other kinds.
  package var rank: Int? { parameters[.gateDown]?.shape.first }

  /// In the order of the kind's roles.
  package var ordered: [(role: InjectionRole, parameter: Parameter)] {
    kind.roles.compactMap { role in parameters[role].map { (role, $0) } }
  }
}

/// The part a tensor plays in an injection.
package enum InjectionRole: String, CaseIterable, Sendable {
  /// A, `[h, 2h]`.
  case adapter
  /// w, `[h]`.
  case decay
  /// D, `[rank, h]`.
  case gateDown
  /// U, `[h, rank]`.
  case gateUp

  /// - Parameter rank: Of a gate.
  package func shape(hidden: Int, rank: Int) -> [Int] {
    switch self {
    case .adapter: [hidden, 2 * hidden]
    case .decay: [hidden]
    case .gateDown: [rank, hidden]
    case .gateUp: [hidden, rank]
    }
  }

  /// The tensor's name in the native dialect; the published retrofits put `transformer.` before it.
  package var name: String {
    switch self {
    case .adapter: "adapter.weight"
    case .decay: "decay.weight"
    case .gateDown: "gate.down.weight"
    case .gateUp: "gate.up.weight"
    }
  }
}
