import Kernels
import ModelGraph
import Tensors

/// Injects the prelude's output e into the state s before a pass of the core: u = f(s, e). The one
/// place that computes an injection, forward and backward.
///
/// Linear, additive and diagonal ones are a part of the state plus a part of e. The latter is the same
/// at every pass, so it is computed once. What is passed on needs no e after the first pass.
package struct Injector: Sendable {
  let kind: Injection.Kind
  /// A's columns that meet the state, and those that meet e; nil for other kinds.
  private let adapter: (state: Weight, prelude: Weight)?  // [h, h] each
  /// w of a diagonal injection, `[1, h]`; nil for other kinds.
  private let decay: Matrix?
  /// The model's final norm.
  private let norm: Norm

  /// - Parameters:
  ///   - norm: The model's final norm, or its gradient.
  ///   - weight: The weights of a role, or their gradients.
  init(
    _ kind: Injection.Kind, norm: Norm, weight: (InjectionRole) -> Weight?
  ) throws(TransformerError) {
    self.kind = kind
    self.norm = norm
    func need(_ role: InjectionRole) throws(TransformerError) -> Weight {
      guard let weight = weight(role) else {
        throw TransformerError(.missingParameter(role: role.rawValue))
      }
      return weight
    }
    switch kind {
    case .add, .gated, .carry: (adapter, decay) = (nil, nil)
    case .diagonal: (adapter, decay) = (nil, try need(.decay).matrix)
    case .linear:
      let whole = try need(.adapter)
      let half = whole.columns / 2
      (adapter, decay) = ((whole.columns(0..<half), whole.columns(half..<whole.columns)), nil)
    }
  }

  /// What e contributes to the core's input at every pass.
  ///
  /// - Parameters:
  ///   - injected: `[T, h]`, overwritten.
  ///   - embedded: `[T, h]`, the prelude's output e.
  func prepare(_ injected: Matrix, _ embedded: Matrix, on compute: Compute) {
    if let adapter {
      linear(injected, embedded, adapter.prelude, on: compute)
    } else if kind.readsPrelude {
      copy(injected, embedded, on: compute)
    }
  }

  /// The core's input.
  ///
  /// - Parameters:
  ///   - u: `[T, h]`, overwritten.
  ///   - state: `[T, h]`.
  ///   - injected: What `prepare` gave.
  ///   - isFirst: Whether no pass went before.
  func inject(
    _ u: Matrix, _ state: Matrix, _ injected: Matrix, isFirst: Bool, on compute: Compute
  ) {
    if kind == .gated { return copy(u, state, on: compute) }
    if kind == .carry {
      return isFirst ? copy(u, state, on: compute) : norm.apply(u, state, on: compute)
    }
    copy(u, injected, on: compute)
    if let adapter {
      linear(u, state, adapter.state, adding: true, on: compute)
    } else if let decay {
      multiplyBySigmoid(u, state, decay, adding: true, on: compute)
    } else {
      add(u, state, on: compute)
    }
  }

  // MARK: Backward

  /// Adds what one pass makes of the gradients of the parameters that meet the state.
  ///
  /// - Parameters:
  ///   - gradients: Where they are added.
  ///   - d: `[T, h]`, gradient of u.
  ///   - state: `[T, h]`, the state that was injected into.
  func addStateGradients(
    to gradients: Injector, _ d: Matrix, _ state: Matrix, on compute: Compute
  ) {
    if let gradient = gradients.adapter?.state.matrix {
      multiply(gradient, d.transposed, Operand(state), adding: true, on: compute)
    } else if let gradient = gradients.decay, let decay {
      multiplyBySigmoidBackward(gradient, d, state, decay, on: compute)
    }
  }

  /// Turns the gradient of u into that of the state.
  ///
  /// - Parameters:
  ///   - d: `[T, h]`, overwritten.
  ///   - state: `[T, h]`, the state that was injected into.
  ///   - gradients: Where that of the norm is added; nil where it is not trained.
  ///   - room: `[T, h]`, to work in.
  func stateBackward(
    _ d: Matrix, _ state: Matrix, isFirst: Bool, gradients: Injector?, room: Matrix,
    on compute: Compute
  ) {
    if kind == .carry, !isFirst {
      norm.backward(d, gradients?.norm, d, state, on: compute)
    }
    if let weight = adapter?.state.matrix {
      multiply(room, d, weight, on: compute)
      copy(d, room, on: compute)
    } else if let decay {
      multiplyBySigmoid(d, d, decay, on: compute)
    }
  }

  /// Adds what all passes together make of the gradients of the parameters that meet e.
  ///
  /// - Parameters:
  ///   - d: `[T, h]`, gradient of what `prepare` gave, over all passes.
  ///   - embedded: `[T, h]`, e.
  func addPreludeGradients(
    to gradients: Injector, _ d: Matrix, _ embedded: Matrix, on compute: Compute
  ) {
    guard let gradient = gradients.adapter?.prelude.matrix else { return }
    multiply(gradient, d.transposed, Operand(embedded), adding: true, on: compute)
  }

  /// The gradient of e from that of what `prepare` gave.
  ///
  /// - Parameters:
  ///   - dEmbedded: `[T, h]`, overwritten, or added to.
  ///   - d: `[T, h]`.
  func preludeBackward(
    _ dEmbedded: Matrix, _ d: Matrix, adding: Bool, on compute: Compute
  ) {
    if !kind.readsPrelude {
      // The only way to e is the first state.
      if !adding { clear(dEmbedded, on: compute) }
    } else if let weight = adapter?.prelude.matrix {
      multiply(dEmbedded, d, weight, adding: adding, on: compute)
    } else if adding {
      add(dEmbedded, d, on: compute)
    } else {
      copy(dEmbedded, d, on: compute)
    }
  }
}
