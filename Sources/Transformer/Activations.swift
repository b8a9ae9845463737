import Kernels
import ModelGraph
import Tensors

/// What one execution of a block computes and its gradient reads again.
struct Activations: Sendable {
  /// Query, key and value as projected; queries and keys rotated in place unless they have norms.
  let fused: Matrix  // [T, W]
  let logSums: Matrix  // [heads, T]
  let attended: Matrix?  // [T, h] the attention's result, projected; only where a norm follows
  let middle: Matrix  // [T, h] the residual stream between attention and MLP
  let gateUp: Matrix  // [T, 2m]
  let experts: ExpertActivations?
  let fed: Matrix?  // [T, h] result of the MLP; only where a norm follows

  /// Floats that one execution of `rows` tokens keeps.
  static func floatCount(_ network: Network, rows: Int) -> Int {
    (widths(network) + ExpertActivations.widths(network)).reduce(0) {
      $0 + Arena.rounded($1 * rows)
    }
  }

  private static func widths(_ network: Network) -> [Int] {
    let after = network.hasOutputNorms ? network.sizes.hidden : 0
    return [
      network.fusedWidth, network.sizes.heads, after, network.sizes.hidden,
      2 * network.denseWidth, after,
    ]
  }

  /// - Parameter middle: The stream itself, where nothing is kept for a gradient.
  init(_ network: Network, rows: Int, in arena: inout Arena, middle: Matrix? = nil) {
    let sizes = network.sizes
    let isAfter = network.hasOutputNorms
    fused = arena.matrix(rows, network.fusedWidth)
    logSums = arena.matrix(sizes.heads, rows)
    attended = isAfter ? arena.matrix(rows, sizes.hidden) : nil
    self.middle = middle ?? arena.matrix(rows, sizes.hidden)
    gateUp = arena.matrix(rows, 2 * network.denseWidth)
    fed = isAfter ? arena.matrix(rows, sizes.hidden) : nil
    experts = ExpertActivations(network, rows: rows, in: &arena)
  }
}

/// Room that every execution of a block uses and none keeps.
struct Workspace: Sendable {
  let normed: Matrix  // [T, h]
  let rotated: Matrix?  // [T, query and key width]; only where these have norms
  let branch: Matrix?  // [T, h] what a half adds to the stream; only where a factor is put on it
  let mixed: Matrix  // [T, heads * headSize] result of the attention
  let activated: Matrix  // [T, m]
  let experts: ExpertWorkspace?

  static func floatCount(_ network: Network, rows: Int) -> Int {
    let widths = [
      network.sizes.hidden, network.hasQueryKeyNorms ? network.rotatedWidth : 0,
      network.scalesResiduals ? network.sizes.hidden : 0, network.queryWidth,
      network.denseWidth,
    ]
    return (widths + ExpertWorkspace.widths(network)).reduce(0) { $0 + Arena.rounded($1 * rows) }
  }

  init(_ network: Network, rows: Int, in arena: inout Arena) {
    normed = arena.matrix(rows, network.sizes.hidden)
    rotated = network.hasQueryKeyNorms ? arena.matrix(rows, network.rotatedWidth) : nil
    branch = network.scalesResiduals ? arena.matrix(rows, network.sizes.hidden) : nil
    mixed = arena.matrix(rows, network.queryWidth)
    activated = arena.matrix(rows, network.denseWidth)
    experts = ExpertWorkspace(network, rows: rows, in: &arena)
  }
}

/// Hands out matrices of one buffer, one after another.
struct Arena {
  private let buffer: Buffer
  private var used = 0

  init(floats: Int) throws(MemoryError) { self.init(try Buffer(floats: floats)) }

  init(_ buffer: Buffer) { self.buffer = buffer }

  /// Floats that a matrix of `count` takes here: whole cache lines.
  static func rounded(_ count: Int) -> Int { (count + 15) & ~15 }

  mutating func matrix(_ rows: Int, _ columns: Int) -> Matrix {
    let matrix = Matrix(buffer, offset: used, rows: rows, columns: columns)
    used += Self.rounded(rows * columns)
    return matrix
  }
}
