package import Kernels
package import ModelGraph
package import Tensors

/// A decoder, plain or recurrent, loaded to be run: weights in their stored type, arithmetic in
/// float32.
///
/// One call at a time: a model works in buffers of its own.
package final class Model {
  package let graph: ModelGraph
  package let network: Network
  package let compute: Compute
  private let weights: [Field.Role: Weight]
  private let storage: WeightStorage
  private var rotation = RotationTables()
  private var room: Room?
  /// Where rooms are, one at a time.
  private var roomBuffer: Buffer?

  /// Loads every weight of the graph.
  ///
  /// - Parameters:
  ///   - source: Where the graph's recipes read.
  ///   - compute: Threads that compute.
  ///   - storage: Of the large matrices in memory.
  /// - Throws: `TransformerError` for a weight that is not finite, and what the source throws.
  package convenience init(
    _ graph: ModelGraph, from source: any RecipeSource, on compute: Compute,
    as storage: WeightStorage = .stored
  ) throws {
    let loader = WeightLoader(source, as: storage)
    var weights: [Field.Role: Weight] = [:]
    for field in Field.all(of: graph) { weights[field.role] = try loader.load(field) }
    try self.init(graph, weights, on: compute, as: storage)
  }

  private init(
    _ graph: ModelGraph, _ weights: [Field.Role: Weight], on compute: Compute,
    as storage: WeightStorage
  ) throws {
    self.graph = graph
    self.storage = storage
    self.compute = compute
    self.weights = weights
    network = try Network(graph) { weights[$0] }
  }

  /// A model in training with the parameters that it has at each call; it shares them.
  package convenience init(_ trained: TrainableModel) throws {
    try self.init(trained.graph, trained.weights, on: trained.compute, as: .stored)
  }

  /// The same model but for some parameters, which are read anew; it shares the weights of the rest.
  package func replacing(
    _ names: Set<TensorName>, from source: any RecipeSource
  ) throws -> Model {
    let loader = WeightLoader(source, as: storage)
    var weights = weights
    for field in Field.all(of: graph) where field.parts.contains(where: { names.contains($0.name) })
    {
      weights[field.role] = try loader.load(field)
    }
    return try Model(graph, weights, on: compute, as: storage)
  }

  /// The same blocks in a straight line, each run once; it shares the weights.
  package func straightened() throws -> Model {
    try Model(graph.straightened, weights, on: compute, as: storage)
  }

  /// The same model without a norm on the state; it shares the weights.
  package func withoutCoreNorm() throws -> Model {
    var weights = weights
    weights[.coreNorm] = nil
    return try Model(graph.withoutCoreNorm, weights, on: compute, as: storage)
  }

  /// Cosines and sines for sequences of `length` tokens.
  func rotation(_ length: Int) throws(MemoryError) -> [RotationTable] {
    try rotation.prepare(network, length: length, isGrowing: true)
    return rotation.tables
  }

  /// Buffers for `rows` tokens, kept for the next call of the same size; another size takes their
  /// memory, and with it what they held.
  func room(_ rows: Int) throws(MemoryError) -> Room {
    if let room, room.rows == rows { return room }
    room = nil
    let needed = Room.floatCount(network, rows: rows)
    if roomBuffer.map({ $0.floatCount < needed }) ?? true {
      roomBuffer = nil
      roomBuffer = try Buffer(floats: needed)
    }
    guard let roomBuffer else { preconditionFailure("made above") }
    let new = Room(network, rows: rows, in: roomBuffer)
    room = new
    return new
  }
}

extension ModelGraph {
  /// The same tensors as one straight line of blocks: what the recurrent model is at r = 1 when the
  /// adapter passes the prelude's output through.
  fileprivate var straightened: ModelGraph {
    var graph = self
    graph.body = .plain(blocks)
    return graph
  }

  /// The same layers without the norm after the core, which no source model has.
  fileprivate var withoutCoreNorm: ModelGraph {
    guard case .recurrent(var body) = body else { return self }
    body.coreNorm = nil
    body.normsLatent = false
    var graph = self
    graph.body = .recurrent(body)
    return graph
  }
}

/// Where a pass of `rows` tokens works.
struct Room {
  let rows: Int
  let stream: Matrix  // [T, h]
  let embedded: Matrix  // [T, h] the prelude's output e
  let injected: Matrix  // [T, h] what e contributes to the core's input
  let state: Matrix  // [T, h]
  let kept: Activations
  let work: Workspace

  static func floatCount(_ network: Network, rows: Int) -> Int {
    4 * Arena.rounded(rows * network.sizes.hidden)
      + Activations.floatCount(network, rows: rows) + Workspace.floatCount(network, rows: rows)
  }

  /// - Parameter buffer: Of at least `floatCount` floats.
  init(_ network: Network, rows: Int, in buffer: Buffer) {
    let hidden = network.sizes.hidden
    var arena = Arena(buffer)
    self.rows = rows
    stream = arena.matrix(rows, hidden)
    embedded = arena.matrix(rows, hidden)
    injected = arena.matrix(rows, hidden)
    state = arena.matrix(rows, hidden)
    kept = Activations(network, rows: rows, in: &arena, middle: stream)
    work = Workspace(network, rows: rows, in: &arena)
  }
}
