import ModelGraph
import Platform
import Tensors

/// The textbook formulas of a decoder in Double, one loop a sum: slow, and with nothing in common
/// with the kernels that it checks.
///
/// Block and rotary formulas: Vaswani et al. 2017, Su et al. 2021, Zhang and Sennrich 2019, Shazeer
/// 2020; recurrence: McLeish et al. 2025, section 3.
struct ReferenceForward {
  private let graph: ModelGraph
  private let reader: RecipeReader

  init(_ model: ReadableModel) {
    graph = model.graph
    reader = RecipeReader(model.source)
  }

  /// The state after `recurrence` passes through the core, `[S, h]`, of one sequence.
  ///
  /// - Parameter state: s₀, `[S, h]`.
  func latent(_ tokens: [Int32], recurrence: Int, state: [[Double]]) throws -> [[Double]] {
    guard let body = graph.recurrence else { return [] }
    var stream = try embed(tokens)
    for block in body.prelude { stream = try run(block, stream) }
    let embedded = stream
    var state = state
    let adapter = try body.adapter.map(matrix)
    let norm = try body.coreNorm.map(vector)
    for _ in 0..<recurrence {
      // u = A·[s ; e], or s + e.
      stream = zip(state, embedded).map { s, e in
        adapter.map { product($0, s + e) } ?? zip(s, e).map(+)
      }
      for block in body.core { stream = try run(block, stream) }
      if let norm { stream = stream.map { normalised($0, norm) } }
      state = stream
    }
    return state
  }

  private func embed(_ tokens: [Int32]) throws -> [[Double]] {
    try tokens.map { token in
      var row = [Float](repeating: 0, count: graph.sizes.hidden)
      var span = row.mutableSpan
      try reader.readFloats(
        graph.embedding.recipe, shape: graph.embedding.shape, rows: Int(token)..<(Int(token) + 1),
        into: &span)
      return row.map(Double.init)
    }
  }

  /// One block over all positions.
  private func run(_ block: Block, _ input: [[Double]]) throws -> [[Double]] {
    let before = graph.style.norms == .before
    let attentionNorm = try vector(need(block, .attentionNorm))
    let attended = try attention(
      block, before ? input.map { normalised($0, attentionNorm) } : input)
    let middle = zip(input, attended).map { x, a in
      zip(x, before ? a : normalised(a, attentionNorm)).map(+)
    }
    let mlpNorm = try vector(need(block, .mlpNorm))
    let fed = try mlp(block, before ? middle.map { normalised($0, mlpNorm) } : middle)
    return zip(middle, fed).map { x, f in zip(x, before ? f : normalised(f, mlpNorm)).map(+) }
  }

  private func attention(_ block: Block, _ input: [[Double]]) throws -> [[Double]] {
    let sizes = graph.sizes
    let fused = try projected(
      block, input, fused: (.queryKeyValue, .queryKeyValueBias),
      parts: [(.query, .queryBias), (.key, .keyBias), (.value, .valueBias)])
    let queryNorm = try block[.queryNorm].map(vector)
    let keyNorm = try block[.keyNorm].map(vector)
    let (wide, narrow) = (sizes.queryWidth, sizes.keyValueWidth)
    let queries = fused.enumerated().map { heads(Array($1[..<wide]), queryNorm, at: $0) }
    let keys = fused.enumerated().map {
      heads(Array($1[wide..<(wide + narrow)]), keyNorm, at: $0)
    }
    let values = fused.map { split(Array($0[(wide + narrow)...])) }
    let group = sizes.heads / sizes.keyValueHeads
    let mixed = input.indices.map { position in
      (0..<sizes.heads).flatMap { head -> [Double] in
        let scores = (0...position).map { past in
          dot(queries[position][head], keys[past][head / group])
            / Double(sizes.headSize).squareRoot()
        }
        let top = scores.max() ?? 0
        let weights = scores.map { exp($0 - top) }
        let total = weights.reduce(0, +)
        return (0..<sizes.headSize).map { i in
          (0...position).reduce(0.0) { $0 + weights[$1] * values[$1][head / group][i] } / total
        }
      }
    }
    return try projected(block, mixed, fused: (.output, .outputBias), parts: [])
  }

  private func mlp(_ block: Block, _ input: [[Double]]) throws -> [[Double]] {
    let width = graph.sizes.intermediate
    let both = try projected(
      block, input, fused: (.gateUp, .gateUpBias), parts: [(.gate, .gateBias), (.up, .upBias)])
    let gated = both.map { row in
      (0..<width).map { row[$0] / (1 + exp(-row[$0])) * row[width + $0] }
    }
    return try projected(block, gated, fused: (.down, .downBias), parts: [])
  }

  /// `W x + b`, where the rows of W lie in one tensor or in several.
  private func projected(
    _ block: Block, _ input: [[Double]], fused: (BlockRole, BlockRole),
    parts: [(BlockRole, BlockRole)]
  ) throws -> [[Double]] {
    let roles = block[fused.0] == nil ? parts : [fused]
    var weights: [[Double]] = []
    var biases: [Double] = []
    for (weight, bias) in roles {
      let rows = try matrix(need(block, weight))
      weights += rows
      biases += try block[bias].map(vector) ?? [Double](repeating: 0, count: rows.count)
    }
    return input.map { x in zip(product(weights, x), biases).map(+) }
  }

  /// Splits into heads, normalises as the style says, and rotates for `position`.
  private func heads(_ row: [Double], _ norm: [Double]?, at position: Int) -> [[Double]] {
    let whole =
      graph.style.queryKeyNorm == .fullWidth ? norm.map { normalised(row, $0) } ?? row : row
    return split(whole).map { head in
      let normed =
        graph.style.queryKeyNorm == .perHead ? norm.map { normalised(head, $0) } ?? head : head
      return rotated(normed, at: position)
    }
  }

  private func split(_ row: [Double]) -> [[Double]] {
    stride(from: 0, to: row.count, by: graph.sizes.headSize).map {
      Array(row[$0..<($0 + graph.sizes.headSize)])
    }
  }

  /// Turns the pairs (i, i + size / 2) by the position times the pair's frequency.
  private func rotated(_ head: [Double], at position: Int) -> [Double] {
    let half = head.count / 2
    var result = head
    for i in 0..<half {
      let angle = Double(position) * frequency(i, of: half)
      let (x, y) = (head[i], head[i + half])
      result[i] = x * cos(angle) - y * sin(angle)
      result[i + half] = y * cos(angle) + x * sin(angle)
    }
    return result
  }

  private func frequency(_ i: Int, of half: Int) -> Double {
    let plain = pow(graph.rotary.theta, -Double(i) / Double(half))
    switch graph.rotary.scaling {
    case .none: return plain
    case .linear(let factor): return plain / factor
    case .llama3(let factor, let low, let high, let original):
      // Llama 3.1: how often the pair turns within the original context decides.
      let turns = Double(original) * plain / (2 * Double.pi)
      if turns < low { return plain / factor }
      if turns > high { return plain }
      let share = (turns - low) / (high - low)
      return (1 - share) * plain / factor + share * plain
    }
  }

  // MARK: Numbers

  private func normalised(_ row: [Double], _ scale: [Double]) -> [Double] {
    let square = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
    let inverse = 1 / (square + graph.normEpsilon).squareRoot()
    return zip(row, scale).map { $0 * inverse * $1 }
  }

  private func product(_ rows: [[Double]], _ x: [Double]) -> [Double] { rows.map { dot($0, x) } }

  private func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for i in a.indices { sum += a[i] * b[i] }
    return sum
  }

  private func need(_ block: Block, _ role: BlockRole) throws(VerificationError) -> Parameter {
    guard let parameter = block[role] else { throw VerificationError(.missingPart(role.rawValue)) }
    return parameter
  }

  private func vector(_ parameter: Parameter) throws -> [Double] {
    try matrix(parameter).flatMap { $0 }
  }

  /// The parameter's rows; a vector is a matrix of rows of one value.
  private func matrix(_ parameter: Parameter) throws -> [[Double]] {
    let rows = parameter.shape.first ?? 1
    var values = [Float](repeating: 0, count: parameter.elementCount)
    var span = values.mutableSpan
    try reader.readFloats(parameter.recipe, shape: parameter.shape, rows: 0..<rows, into: &span)
    let width = parameter.elementCount / max(1, rows)
    return (0..<rows).map { row in (0..<width).map { Double(values[row * width + $0]) } }
  }
}
