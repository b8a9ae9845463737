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
    if case .given(let values) = self {
      guard values.count == state.rows * state.columns else {
        throw TransformerError(
          .stateSize(found: values.count, expected: state.rows * state.columns))
      }
      return state.assign(values)
    }
    Self.fill(state, embedded: embedded, start, on: compute) { row in
      let (sequence, query) = row.quotientAndRemainder(dividingBy: visibility.queries)
      return (
        self.stream(of: firstSequence + sequence), visibility.position(sequence, query)
      )
    }
  }

  /// The numbers of a sequence.
  private func stream(of sequence: Int) -> RandomStream {
    switch self {
    case .seeded(let seed): RandomStream(seed: seed, stream: 0)
    case .drawn(let seed): RandomStream(seed: seed, stream: UInt64(sequence))
    case .given: RandomStream(seed: 0)
    }
  }

  /// Fills the state as the model says.
  ///
  /// - Parameter place: The random stream of a row's sequence, and the row's position in it.
  static func fill(
    _ state: Matrix, embedded: Matrix, _ start: StateStart, on compute: Compute,
    place: (_ row: Int) -> (stream: RandomStream, position: Int)
  ) {
    switch start {
    case .zero: clear(state, on: compute)
    case .embedding: copy(state, embedded, on: compute)
    case .normal(let deviation):
      let width = state.columns
      compute.divide(state.rows) { _, rows in
        for row in rows {
          let (stream, position) = place(row)
          for channel in 0..<width {
            let value = stream.truncatedNormal(at: UInt64(position * width + channel))
            state[row, channel] = Float(value * deviation)
          }
        }
      }
    }
  }
}
