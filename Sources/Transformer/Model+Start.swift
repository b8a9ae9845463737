import Kernels
import ModelGraph
import Tensors

extension Model {
  /// The first state of a sequence of `tokens` tokens, `[tokens, h]`, where it is drawn at random;
  /// nil where no seed has a part in it.
  package func drawnState(tokens: Int, seed: UInt64) throws -> [Float]? {
    guard let start = graph.recurrence?.stateStart, case .normal = start else { return nil }
    let state = try Matrix(rows: tokens, columns: graph.sizes.hidden)
    try InitialState.seeded(seed).fill(
      state, embedded: state, start, Visibility(sequences: 1, queries: tokens), on: compute)
    return state.floats
  }
}
