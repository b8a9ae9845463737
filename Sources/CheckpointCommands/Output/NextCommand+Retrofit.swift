import ModelGraph
import Recurrence
import Reports

extension NextCommand {
  /// A retrofit by the paper's counts in proportion; nil for a model with too few layers.
  static func retrofit(_ graph: ModelGraph, at path: String) -> String? {
    let counts = LayerSelection.counts(of: graph.blocks.count)
    guard counts.prelude + counts.core + counts.coda <= graph.blocks.count else { return nil }
    return retrofit(
      path, "--prelude \(counts.prelude) --core \(counts.core) --coda \(counts.coda)")
  }
}
