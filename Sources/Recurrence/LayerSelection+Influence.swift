extension LayerSelection {
  /// The first layers as prelude, the last as coda, and as core the most influential of those
  /// between, in the model's order; the later one among equals.
  ///
  /// - Parameter influence: How much each layer of the model changes its input.
  package init(
    prelude: Int, core: Int, coda: Int, influence: [Double]
  ) throws(RecurrenceError) {
    let count = influence.count
    let last = try LayerSelection(prelude: prelude, core: core, coda: coda, of: count)
    let chosen = (prelude..<(count - coda)).sorted {
      (influence[$0], $0) > (influence[$1], $1)
    }.prefix(core)
    try self.init(prelude: last.prelude, core: chosen.sorted(), coda: last.coda, of: count)
  }

  /// Sizes of prelude, core and coda for a model of `count` layers, in the proportion of the
  /// paper's TinyLlama, 4, 8 and 4 of 22; each has a layer.
  package static func counts(of count: Int) -> (prelude: Int, core: Int, coda: Int) {
    func share(_ layers: Int) -> Int {
      max(1, Int((Double(count) * Double(layers) / 22).rounded()))
    }
    return (share(4), share(8), share(4))
  }
}
