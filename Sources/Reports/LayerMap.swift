import Charts
import ModelGraph
import Recurrence

extension PackageSummary {
  /// The layers by part, in the order in which they run.
  var layerMap: Markup {
    guard let body = graph.recurrence else {
      return "<p>A model of \(graph.blocks.count) layers that run one after another, each once.</p>"
    }
    var parts = [
      part("prelude", "runs once", body.prelude.map(\.sourceLayer)),
      part("core", "runs r times", body.core.map(\.sourceLayer)),
      part("coda", "runs once", body.coda.map(\.sourceLayer)),
    ].joined(separator: "")
    if !dropped.isEmpty { parts += part("dropped", "not in the model", dropped) }
    return """
      <div class="map">\(parts)</div>
      <p class="quiet">Numbers are layers of the source, from 0. \(entry(body.injection.kind))</p>
      """
  }

  /// How the prelude's output comes to the core.
  private func entry(_ kind: Injection.Kind) -> String {
    kind.readsPrelude
      ? "Each pass of the core starts from the state, which the pass before it gave, and the prelude's output "
        + "(\(kind.rawValue) injection)."
      : "The core's state starts as the prelude's output (\(kind.rawValue) injection)."
  }

  private func part(_ name: String, _ note: String, _ layers: [Int]) -> Markup {
    // A drawing of more is no drawing.
    let cells: Markup =
      layers.count > 256
      ? "<li class=\"wide\">\(LayerSelection.ranges(layers))</li>"
      : layers.map { "<li>\($0)</li>" as Markup }.joined()
    return """
      <div class="part \(name)"><p><b>\(name)</b> <span>\(note)</span></p><ol>\(cells)</ol></div>
      """
  }
}
