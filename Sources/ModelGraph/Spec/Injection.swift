import Tensors

/// How the prelude's output e enters before every pass of the core, as data: u = f(s, e), with s the
/// state.
///
/// What is computed stands in `Injector` of the module Transformer.
package struct Injection: Equatable, Sendable {
  package enum Kind: String, CaseIterable, Sendable {
    /// u = A · [s ; e], state columns first (McLeish et al. 2025, section 3).
    case linear
    /// u = s + e.
    case add
    /// u = d ⊙ s + e, where d = sigmoid(w) forgets a share of each channel (Parcae, arXiv 2604.12946:
    /// a decay between 0 and 1, and the identity for e).
    case diagonal
    /// u = e at the first pass, and then the model's final norm of the state: passes that follow one
    /// another, as of a whole stack that is run several times (Zhu et al. 2025, Ouro).
    case carry

    /// The parameters that this kind has.
    package var roles: [InjectionRole] {
      switch self {
      case .linear: [.adapter]
      case .diagonal: [.decay]
      case .add, .carry: []
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

  package func shape(hidden: Int) -> [Int] {
    switch self {
    case .adapter: [hidden, 2 * hidden]
    case .decay: [hidden]
    }
  }

  /// The tensor's name in the native dialect; the published retrofits put `transformer.` before it.
  package var name: String {
    switch self {
    case .adapter: "adapter.weight"
    case .decay: "decay.weight"
    }
  }
}
