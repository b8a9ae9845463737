import Kernels
import ModelGraph
import Tensors

/// Where the state s₀ of a recurrent model comes from.
package enum InitialState: Equatable, Sendable {
  /// As the model says; random states are drawn with this seed. The value at a token depends on the
  /// seed, its position in its document and the channel alone, so that decoding with a cache, padding,
  /// packing and whatever runs beside it meet the same states.
  case seeded(UInt64)
  /// The same for training, where it depends on its sequence's number too: sequences differ.
  case drawn(UInt64)
  /// `[B, S, h]`.
  case given([Float])

  /// What some sequences of the batch start from.
  func part(_ part: Batch.Part, width: Int) -> InitialState {
    guard case .given(let values) = self else { return self }
    let range = part.tokens.lowerBound * width..<part.tokens.upperBound * width
    return .given(Array(values[range]))
  }

  /// Fills the state for `visibility`'s queries.
  ///
  /// - Parameters:
  ///   - state: `[T, h]`, overwritten.
  ///   - embedded: `[T, h]`, the prelude's output.
  ///   - firstSequence: Number of the first sequence.
  func fill(
    _ state: Matrix, embedded: Matrix, _ start: StateStart, _ visibility: Visibility,
    firstSequence: Int = 0, on compute: Compute
  ) throws(TransformerError) {
    switch (self, start) {
    case (.given(let values), _):
      guard values.count == state.rows * state.columns else {
        throw TransformerError(
          .stateSize(found: values.count, expected: state.rows * state.columns))
      }
      state.assign(values)
    case (_, .zero): clear(state, on: compute)
    case (_, .embedding): copy(state, embedded, on: compute)
    case (.seeded(let seed), .normal(let deviation)):
      Self.draw(state, visibility, deviation, on: compute) { _ in
        RandomStream(seed: seed, stream: 0)
      }
    case (.drawn(let seed), .normal(let deviation)):
      Self.draw(state, visibility, deviation, on: compute) { sequence in
        RandomStream(seed: seed, stream: UInt64(firstSequence + sequence))
      }
    }
  }

  /// - Parameter stream: The numbers of a sequence.
  private static func draw(
    _ state: Matrix, _ visibility: Visibility, _ deviation: Double, on compute: Compute,
    stream: (_ sequence: Int) -> RandomStream
  ) {
    let width = state.columns
    compute.divide(state.rows) { _, rows in
      for row in rows {
        let (sequence, query) = row.quotientAndRemainder(dividingBy: visibility.queries)
        let numbers = stream(sequence)
        let first = visibility.position(sequence, query) * width
        for channel in 0..<width {
          let value = numbers.truncatedNormal(at: UInt64(first + channel))
          state[row, channel] = Float(value * deviation)
        }
      }
    }
  }
}
