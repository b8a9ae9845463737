import Kernels
import ModelGraph
import Tensors

/// How a block chooses among its experts, or the gradient of that.
package struct ExpertWeights: Sendable {
  let spec: ExpertSpec
  let router: Weight  // [E, h]

  init(_ spec: ExpertSpec, router: Weight) {
    self.spec = spec
    self.router = router
  }

  /// Rows of an expert in a matrix that has those of all.
  func rows(of expert: Int, in weight: Weight) -> Weight {
    let height = weight.rows / spec.count
    return weight.rows(expert * height..<(expert + 1) * height)
  }

  /// What the results of the chosen experts are multiplied by, one factor for each place.
  ///
  /// - Parameter probabilities: `[T, E]`.
  func factors(_ probabilities: Matrix, _ routing: Routing) -> [Float] {
    var factors = routing.experts.enumerated().map { place, expert in
      probabilities[place / spec.chosen, expert]
    }
    guard spec.isNormalised else { return factors }
    for first in stride(from: 0, to: factors.count, by: spec.chosen) {
      let places = first..<(first + spec.chosen)
      let sum = factors[places].reduce(0, +)
      for place in places { factors[place] /= sum }
    }
    return factors
  }

  /// Gradient of the router's results, `[T, E]`, from that of the factors.
  ///
  /// - Parameters:
  ///   - dLogits: Overwritten.
  ///   - balance: Gradient of each probability in every row beside; empty where there is none.
  func backward(
    _ dLogits: Matrix, _ probabilities: Matrix, _ routing: Routing, factors: [Float],
    dFactors: [Float], balance: [Float]
  ) {
    var d = [Double](repeating: 0, count: spec.count)
    for row in 0..<probabilities.rows {
      for expert in d.indices { d[expert] = balance.isEmpty ? 0 : Double(balance[expert]) }
      let places = row * spec.chosen..<(row + 1) * spec.chosen
      let chosen = places.map { Double(probabilities[row, routing.experts[$0]]) }
      // With w = p / Σp, dp = (dw - Σ w dw) / Σp.
      let sum = spec.isNormalised ? chosen.reduce(0, +) : 1
      let mean =
        spec.isNormalised
        ? places.reduce(0.0) { $0 + Double(factors[$1]) * Double(dFactors[$1]) } : 0
      for place in places {
        d[routing.experts[place]] += (Double(dFactors[place]) - mean) / sum
      }
      let inner = d.indices.reduce(0.0) { $0 + d[$1] * Double(probabilities[row, $1]) }
      for expert in d.indices {
        dLogits[row, expert] = Float(Double(probabilities[row, expert]) * (d[expert] - inner))
      }
    }
  }
}

/// What one execution of experts keeps, in as much room as the widest block of the network needs.
struct ExpertActivations: Sendable {
  private let probabilities: Matrix  // [T, E]
  private let gateUp: Matrix  // [T, chosen * 2m]

  static func widths(_ network: Network) -> [Int] {
    let specs = network.experts.map(\.spec)
    guard !specs.isEmpty else { return [] }
    return [specs.map(\.count).max() ?? 0, specs.map { $0.chosen * 2 * $0.width }.max() ?? 0]
  }

  init?(_ network: Network, rows: Int, in arena: inout Arena) {
    let widths = Self.widths(network)
    guard widths.count == 2 else { return nil }
    probabilities = arena.matrix(rows, widths[0])
    gateUp = arena.matrix(rows, widths[1])
  }

  /// `[T, E]` of a block.
  func probabilities(_ spec: ExpertSpec) -> Matrix {
    probabilities.reshaped(probabilities.rows, spec.count)
  }

  /// `[T * chosen, 2m]`, grouped by expert.
  func gateUp(_ spec: ExpertSpec) -> Matrix {
    gateUp.reshaped(gateUp.rows * spec.chosen, 2 * spec.width)
  }
}

/// Room that every execution of experts uses and none keeps.
struct ExpertWorkspace: Sendable {
  private let rows: Matrix  // [T, chosen * h]
  private let activated: Matrix  // [T, chosen * m]

  static func widths(_ network: Network) -> [Int] {
    let specs = network.experts.map(\.spec)
    guard !specs.isEmpty else { return [] }
    return [
      network.sizes.hidden * (specs.map(\.chosen).max() ?? 0),
      specs.map { $0.chosen * $0.width }.max() ?? 0,
    ]
  }

  init?(_ network: Network, rows: Int, in arena: inout Arena) {
    let widths = Self.widths(network)
    guard widths.count == 2 else { return nil }
    self.rows = arena.matrix(rows, widths[0])
    activated = arena.matrix(rows, widths[1])
  }

  /// `[T * chosen, h]`: what the experts read, then what they give.
  func rows(_ spec: ExpertSpec, hidden: Int) -> Matrix {
    rows.reshaped(rows.rows * spec.chosen, hidden)
  }

  /// `[T * chosen, m]`.
  func activated(_ spec: ExpertSpec) -> Matrix {
    activated.reshaped(activated.rows * spec.chosen, spec.width)
  }
}

/// Room that the gradient of every execution of experts uses and none keeps.
struct ExpertBackwardWorkspace: Sendable {
  private let dRows: Matrix  // [T, chosen * h]
  private let dActivated: Matrix  // [T, chosen * m]
  private let dLogits: Matrix  // [T, E]

  static func widths(_ network: Network) -> [Int] {
    let work = ExpertWorkspace.widths(network)
    return work.isEmpty ? [] : work + [network.experts.map(\.spec.count).max() ?? 0]
  }

  init?(_ network: Network, rows: Int, in arena: inout Arena) {
    let widths = Self.widths(network)
    guard widths.count == 3 else { return nil }
    dRows = arena.matrix(rows, widths[0])
    dActivated = arena.matrix(rows, widths[1])
    dLogits = arena.matrix(rows, widths[2])
  }

  func dRows(_ spec: ExpertSpec, hidden: Int) -> Matrix {
    dRows.reshaped(dRows.rows * spec.chosen, hidden)
  }

  func dActivated(_ spec: ExpertSpec) -> Matrix {
    dActivated.reshaped(dActivated.rows * spec.chosen, spec.width)
  }

  func dLogits(_ spec: ExpertSpec) -> Matrix { dLogits.reshaped(dLogits.rows, spec.count) }
}

extension Matrix {
  /// The first floats of a contiguous matrix in other extents.
  fileprivate func reshaped(_ rows: Int, _ columns: Int) -> Matrix {
    precondition(isContiguous && rows * columns <= self.rows * self.columns, "room for it")
    return Matrix(buffer, offset: offset, rows: rows, columns: columns)
  }
}
