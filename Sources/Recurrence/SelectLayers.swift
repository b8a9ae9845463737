package import ModelGraph

/// Makes a source model recurrent: prelude, core and coda from its layers, the rest dropped.
///
/// The injection is additive and the state starts as in Huginn until other passes say otherwise.
package struct SelectLayers: GraphPass, Equatable {
  package var selection: LayerSelection

  package init(_ selection: LayerSelection) { self.selection = selection }

  package var description: String { "select layers \(selection)" }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    guard case .plain(let blocks) = graph.body else { throw RecurrenceError(.alreadyRecurrent) }
    if let layer = selection.all.first(where: { $0 >= blocks.count }) {
      throw RecurrenceError(.layerOutOfRange(layer, count: blocks.count))
    }
    var result = graph
    result.body = .recurrent(
      RecurrentBody(
        prelude: selection.prelude.map { blocks[$0] }, core: selection.core.map { blocks[$0] },
        coda: selection.coda.map { blocks[$0] }, injection: Injection(.add), coreNorm: nil,
        stateStart: .huginn, meanRecurrence: 32, meanBackpropDepth: 8))
    return result
  }
}
