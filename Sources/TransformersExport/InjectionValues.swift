package import ModelGraph
package import Tensors

/// What the injection does to the state and to the prelude's output, told by its parameters:
/// the core's input is S·s + E·e.
package struct InjectionValues: Equatable, Sendable {
  /// A square matrix, measured against zero and identity.
  package struct Square: Equatable, Sendable {
    /// Largest magnitude of an element.
    package var largest: Float = 0
    /// Largest magnitude of an element of the matrix less the identity.
    package var fromIdentity: Float = 0

    package var isZero: Bool { largest == 0 }
    package var isIdentity: Bool { fromIdentity == 0 }

    mutating func add(_ value: Float, isDiagonal: Bool) {
      // A value that is no number is neither zero nor part of the identity.
      largest = value.isNaN ? .infinity : max(largest, abs(value))
      let difference = value - (isDiagonal ? 1 : 0)
      fromIdentity = difference.isNaN ? .infinity : max(fromIdentity, abs(difference))
    }
  }

  /// S.
  package var state = Square()
  /// E.
  package var prelude = Square()
  /// S + E: what a state that starts as e makes of it.
  package var sum = Square()
  /// Whether a gate, where there is one, lets every change through as it is: U is zero.
  package var isGateOpen = true

  /// Reads every element of the adapter, a few rows at a time; addition has S = E = I. A diagonal
  /// injection has E = I, and on S's diagonal decays between 0 and 1, which are not read. Where the state
  /// is passed on, S = I and E = 0.
  package init(_ body: RecurrentBody, from source: any RecipeSource) throws {
    if let up = body.injection.parameters[.gateUp] {
      (state, prelude) = (Square(largest: 1), Square(fromIdentity: 1))
      sum = state
      var values = [Float](repeating: 0, count: up.elementCount)
      var span = values.mutableSpan
      try RecipeReader(source).readFloats(
        up.recipe, shape: up.shape, rows: 0..<(up.shape.first ?? 0), into: &span)
      isGateOpen = values.allSatisfy { $0 == 0 }
      return
    }
    guard let adapter = body.adapter, let width = adapter.shape.first else {
      let kept: Float = body.injection.kind == .diagonal ? 1 : 0
      (state, prelude) = (Square(largest: 1, fromIdentity: kept), Square(largest: 1))
      sum = Square(largest: 2, fromIdentity: 1)
      return
    }
    let reader = RecipeReader(source)
    let step = max(1, (1 << 18) / max(1, 2 * width))
    for first in stride(from: 0, to: width, by: step) {
      let rows = first..<min(width, first + step)
      var values = [Float](repeating: 0, count: rows.count * 2 * width)
      var span = values.mutableSpan
      try reader.readFloats(adapter.recipe, shape: adapter.shape, rows: rows, into: &span)
      for row in rows {
        let start = (row - first) * 2 * width
        for column in 0..<width {
          let (s, e) = (values[start + column], values[start + width + column])
          state.add(s, isDiagonal: row == column)
          prelude.add(e, isDiagonal: row == column)
          sum.add(s + e, isDiagonal: row == column)
        }
      }
    }
  }
}
