package import Kernels
package import ModelGraph
package import Tensors
package import Transformer

/// Measures the root mean square of what a prelude gives on text: the scale at which the core's other
/// input stands, and so that at which a random state should start.
package struct PreludeMeter {
  private let model: Model
  private let depth: Int
  private var squares = 0.0
  private var count = 0

  /// - Parameters:
  ///   - graph: A source model.
  ///   - prelude: Its layers that make up the prelude. They and the embedding are read, no others.
  package init(
    _ graph: ModelGraph, prelude: [Int], from source: any RecipeSource, on compute: Compute
  ) throws {
    var line = graph
    line.body = .plain(prelude.map { graph.blocks[$0] })
    line.head = nil
    model = try Model(line, from: source, on: compute)
    depth = prelude.count
  }

  package mutating func add(_ batch: Batch) throws {
    let options = ForwardOptions(logits: .none, keepsHidden: true, normsLastHidden: false)
    guard let hidden = try model.forward(batch, options).hidden else { return }
    let tokens = batch.tokens.count
    for position in 0..<tokens {
      let row = hidden.row(depth * tokens + position)
      squares += row.reduce(0.0) { $0 + Double($1) * Double($1) }
      count += row.count
    }
  }

  /// Over all positions and all elements; NaN before the first batch.
  package var rootMeanSquare: Double { (squares / Double(count)).squareRoot() }
}
