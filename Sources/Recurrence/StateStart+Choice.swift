package import ModelGraph

extension StateStart {
  /// Huginn's start, which the published retrofits inherit whatever their width: √(2/(5·5280)).
  package static let huginn = StateStart.normal(standardDeviation: 0.008703882797784892)

  /// The same rule at a model's own width: √(2/(5h)).
  package static func widthDerived(hidden: Int) -> StateStart {
    .normal(standardDeviation: (2 / (5 * Double(hidden))).squareRoot())
  }
}

/// Sets how the state begins.
package struct SetStateStart: GraphPass, Equatable {
  package var start: StateStart

  package init(_ start: StateStart) { self.start = start }

  package var description: String {
    switch start {
    case .normal(let deviation):
      "draw the start state from a normal distribution, standard deviation \(deviation)"
    case .zero: "start the state at zero"
    case .embedding: "start the state at the prelude's output"
    }
  }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    try graph.changingRecurrence { $0.stateStart = start }
  }
}

/// Sets the recurrences that readers take when none are asked for, and how many are trained through.
package struct SetRecurrence: GraphPass, Equatable {
  package var mean: Int
  package var backprop: Int

  package init(mean: Int, backprop: Int) {
    self.mean = mean
    self.backprop = backprop
  }

  package var description: String {
    backprop < mean
      ? "recur \(mean) times by default, \(backprop) of them with gradient"
      : "recur \(mean) times by default, all of them with gradient"
  }

  package func apply(_ graph: ModelGraph) throws(RecurrenceError) -> ModelGraph {
    try graph.changingRecurrence {
      $0.meanRecurrence = mean
      $0.meanBackpropDepth = backprop
    }
  }
}

extension ModelGraph {
  func changingRecurrence(
    _ change: (inout RecurrentBody) -> Void
  ) throws(RecurrenceError) -> ModelGraph {
    guard case .recurrent(var body) = body else { throw RecurrenceError(.notRecurrent) }
    change(&body)
    var graph = self
    graph.body = .recurrent(body)
    return graph
  }
}
