import ModelGraph
import Recurrence
import Reports

extension NextCommand {
  /// A retrofit by the paper's counts in proportion; for a model with too few layers, its measurement.
  static func retrofit(_ graph: ModelGraph, at path: String) -> String {
    let counts = LayerSelection.counts(of: graph.blocks.count)
    guard counts.prelude + counts.core + counts.coda <= graph.blocks.count else {
      return eval(path, mean: nil)
    }
    return retrofit(
      path, "--prelude \(counts.prelude) --core \(counts.core) --coda \(counts.coda)")
  }
  /// How well a model that has spoken does: a source by its layers, others by their depth.
  static func measure(_ graph: ModelGraph, at path: String) -> String {
    graph.recurrence.map { eval(path, mean: $0.meanRecurrence) } ?? retrofit(graph, at: path)
  }
}
