import Foundation
import ModelGraph
import Tensors
import Testing

/// A recurrent decoder in Double, token by token over keys and values, one loop a sum. It computes
/// the state and the prediction after every pass, and the test says what each pass sees of earlier
/// tokens.
///
/// For models with a norm before each half of a block, fused projections, a linear adapter and plain
/// rotary embedding, as `golden/tiny-llama/retrofit`.
final class CachedReference {
  typealias Row = [Double]

  /// What the model thinks of a token after one pass.
  struct Thought {
    let state: Row
    let logits: Row
  }

  /// Keys and values of a token in one execution of a block, by head.
  private struct Entry {
    let keys: [Row]
    let values: [Row]
  }

  private struct Weights {
    let norms: (attention: Row, mlp: Row)
    let fused: [Row]
    let output: [Row]
    let gateUp: [Row]
    let down: [Row]
  }

  private let graph: ModelGraph
  private let deviation: Double
  private let embedding: [Row]
  private let finalNorm: Row
  private let head: [Row]
  private let adapter: [Row]
  private let prelude: [Weights]
  private let core: [Weights]
  private let coda: [Weights]
  /// By block and token.
  private var preludeEntries: [[Entry]]
  private var codaEntries: [[Entry]]
  /// By token, pass from 0, and block.
  private var coreEntries: [[[Entry]]] = []

  init(_ graph: ModelGraph, _ source: any RecipeSource) throws {
    func matrix(_ parameter: Parameter?) throws -> [Row] {
      let parameter = try #require(parameter)
      let rows = parameter.shape[0]
      var values = [Float](repeating: 0, count: parameter.elementCount)
      var span = values.mutableSpan
      try RecipeReader(source).readFloats(
        parameter.recipe, shape: parameter.shape, rows: 0..<rows, into: &span)
      let width = values.count / rows
      return (0..<rows).map { row in (0..<width).map { Double(values[row * width + $0]) } }
    }
    func weights(_ block: Block) throws -> Weights {
      let (attention, mlp) = (try matrix(block[.attentionNorm]), try matrix(block[.mlpNorm]))
      return Weights(
        norms: (attention.flatMap { $0 }, mlp.flatMap { $0 }),
        fused: try matrix(block[.queryKeyValue]), output: try matrix(block[.output]),
        gateUp: try matrix(block[.gateUp]), down: try matrix(block[.down]))
    }
    let body = try #require(graph.recurrence)
    guard case .normal(let deviation) = body.stateStart else {
      throw CocoaError(.featureUnsupported)
    }
    self.graph = graph
    self.deviation = deviation
    embedding = try matrix(graph.embedding)
    finalNorm = try matrix(graph.finalNorm).flatMap { $0 }
    head = try matrix(graph.head)
    adapter = try matrix(body.adapter)
    prelude = try body.prelude.map(weights)
    core = try body.core.map(weights)
    coda = try body.coda.map(weights)
    preludeEntries = prelude.map { _ in [] }
    codaEntries = coda.map { _ in [] }
  }

  /// Appends a token.
  ///
  /// - Parameters:
  ///   - passes: The most passes it makes.
  ///   - seed: Of its start state.
  ///   - seen: The pass whose keys and values of an earlier token a pass sees, both from 0.
  ///   - isEnough: Whether the token stops, by the states s₀, s₁, … and the thoughts so far.
  /// - Returns: A thought for each pass made.
  func append(
    _ token: Int32, passes: Int, seed: UInt64, seen: (_ token: Int, _ pass: Int) -> Int,
    isEnough: (_ states: [Row], _ thoughts: [Thought]) -> Bool = { _, _ in false }
  ) -> [Thought] {
    let position = coreEntries.count
    var embedded = embedding[Int(token)]
    for (i, block) in prelude.enumerated() {
      let entry: Entry
      (embedded, entry) = run(block, embedded, preludeEntries[i])
      preludeEntries[i].append(entry)
    }
    let random = RandomStream(seed: seed, stream: 0)
    var states: [Row] = [
      embedded.indices.map {
        let place = UInt64(position * embedded.count + $0)
        return Double(Float(random.truncatedNormal(at: place) * deviation))
      }
    ]
    var thoughts: [Thought] = []
    var entries: [[Entry]] = []
    var codaEntry: [Entry] = []
    for pass in 0..<passes {
      var stream = product(adapter, states[pass] + embedded)
      entries.append([])
      for (i, block) in core.enumerated() {
        let earlier = (0..<position).map { coreEntries[$0][seen($0, pass)][i] }
        let entry: Entry
        (stream, entry) = run(block, stream, earlier)
        entries[pass].append(entry)
      }
      states.append(stream)
      codaEntry = []
      for (i, block) in coda.enumerated() {
        let entry: Entry
        (stream, entry) = run(block, stream, codaEntries[i])
        codaEntry.append(entry)
      }
      let logits = product(head, normalised(stream, finalNorm))
      thoughts.append(Thought(state: states[pass + 1], logits: logits))
      if isEnough(states, thoughts) { break }
    }
    coreEntries.append(entries)
    for i in coda.indices { codaEntries[i].append(codaEntry[i]) }
    return thoughts
  }

  // MARK: Formulas

  private func run(_ block: Weights, _ x: Row, _ earlier: [Entry]) -> (Row, Entry) {
    let sizes = graph.sizes
    let (size, count) = (sizes.headSize, earlier.count)
    let fused = product(block.fused, normalised(x, block.norms.attention))
    func head(_ index: Int) -> Row { Array(fused[(index * size)..<((index + 1) * size)]) }
    let (heads, narrow) = (sizes.heads, sizes.keyValueHeads)
    let entry = Entry(
      keys: (0..<narrow).map { rotated(head(heads + $0), at: count) },
      values: (0..<narrow).map { head(heads + narrow + $0) })
    let all = earlier + [entry]
    var mixed: Row = []
    for i in 0..<heads {
      let (query, group) = (rotated(head(i), at: count), i / (heads / narrow))
      let scores = all.map { dot(query, $0.keys[group]) / Double(size).squareRoot() }
      let weights = softmax(scores)
      for channel in 0..<size {
        var sum = 0.0
        for (weight, entry) in zip(weights, all) { sum += weight * entry.values[group][channel] }
        mixed.append(sum)
      }
    }
    let middle = zip(x, product(block.output, mixed)).map(+)
    let both = product(block.gateUp, normalised(middle, block.norms.mlp))
    let width = both.count / 2
    let gated = (0..<width).map { both[$0] / (1 + exp(-both[$0])) * both[width + $0] }
    return (zip(middle, product(block.down, gated)).map(+), entry)
  }

  private func rotated(_ head: Row, at position: Int) -> Row {
    let half = head.count / 2
    let theta = graph.blocks[0].spec.attention.rotary?.theta ?? 0
    var result = head
    for i in 0..<half {
      let angle = Double(position) * pow(theta, -Double(i) / Double(half))
      result[i] = head[i] * cos(angle) - head[i + half] * sin(angle)
      result[i + half] = head[i + half] * cos(angle) + head[i] * sin(angle)
    }
    return result
  }

  private func normalised(_ row: Row, _ scale: Row) -> Row {
    let inverse =
      1 / (dot(row, row) / Double(row.count) + graph.spec.finalNorm.epsilon).squareRoot()
    return row.indices.map { row[$0] * inverse * scale[$0] }
  }

  private func product(_ rows: [Row], _ x: Row) -> Row { rows.map { dot($0, x) } }

  private func dot(_ a: Row, _ b: Row) -> Double {
    var sum = 0.0
    for i in a.indices { sum += a[i] * b[i] }
    return sum
  }
}

/// Probabilities that `logits` stand for.
func softmax(_ logits: [Double]) -> [Double] {
  let top = logits.max() ?? 0
  let powers = logits.map { exp($0 - top) }
  let total = powers.reduce(0, +)
  return powers.map { $0 / total }
}
