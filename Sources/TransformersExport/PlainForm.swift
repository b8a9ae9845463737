package import ModelGraph

/// A recurrent model at a number of recurrences as plain layers, where they compute the same.
///
/// With u = S·s + E·e the input of every pass, e the prelude's output and s₀ the start, plain layers
/// can do no more than hand one block's output to the next. That is exact when
///
/// - S = 0 and E = I: each pass begins at e again, so all but the last are in vain, at any r;
/// - s₀ = e, S = I and E = 0: each pass begins where the last one ended, the core r times in a row (with
///   a gate, while it is open);
/// - r = 1 and the first input is e by itself: s₀ = 0 with E = I, or s₀ = e with S + E = I.
///
/// Anything else mixes two streams, or scales one; a norm after the core has no place in a block.
package struct PlainForm: Equatable, Sendable {
  /// How often the core's layers stand one after another.
  package var repeats: Int
  /// Why the layers compute the same, as a sentence's end.
  package var reason: String

  package init(
    _ body: RecurrentBody, _ values: InjectionValues, recurrence: Int
  ) throws(ExportError) {
    guard values.isGateOpen else {
      throw ExportError(
        .notPlain(recurrence: recurrence, reason: "a gate follows every pass of the core"))
    }
    guard body.coreNorm == nil else {
      throw ExportError(
        .notPlain(recurrence: recurrence, reason: "a norm follows every pass of the core"))
    }
    if values.state.isZero, values.prelude.isIdentity {
      self.init(repeats: 1, reason: "the adapter passes the prelude's output and ignores the state")
    } else if body.stateStart == .embedding, values.state.isIdentity, values.prelude.isZero {
      self.init(
        repeats: recurrence, reason: "the state starts as the prelude's output and is passed on")
    } else if recurrence == 1, body.stateStart == .zero, values.prelude.isIdentity {
      self.init(repeats: 1, reason: "the state is zero before the only pass")
    } else if recurrence == 1, body.stateStart == .embedding, values.sum.isIdentity {
      self.init(repeats: 1, reason: "state and prelude's output are equal before the only pass")
    } else {
      throw ExportError(
        .notPlain(recurrence: recurrence, reason: Self.obstacle(body, values, recurrence)))
    }
  }

  private init(repeats: Int, reason: String) {
    self.repeats = repeats
    self.reason = reason
  }

  /// What stands in the way, with the numbers.
  private static func obstacle(
    _ body: RecurrentBody, _ values: InjectionValues, _ recurrence: Int
  ) -> String {
    let start =
      switch body.stateStart {
      case .normal: "a state that starts at random"
      case .zero: "a state that starts at zero"
      case .embedding: "a state that starts as the prelude's output"
      }
    let passes = recurrence == 1 ? "at the only pass" : "at each of \(recurrence) passes"
    switch body.injection.kind {
    case .linear: break
    case .diagonal:
      return "the prelude's output is added to \(start) and decays, \(passes)"
    case .add, .gated, .carry: return "the prelude's output is added to \(start), \(passes)"
    }
    return "the adapter mixes the prelude's output with \(start), \(passes); its state columns "
      + "have values up to \(values.state.largest) and are \(values.state.fromIdentity) from the "
      + "identity, its prelude columns up to \(values.prelude.largest) and "
      + "\(values.prelude.fromIdentity)"
  }
}
