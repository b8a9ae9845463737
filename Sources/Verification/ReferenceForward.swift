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
    let decay = try body.injection.parameters[.decay].map(vector)?.map { 1 / (1 + exp(-$0)) }
    let down = try body.injection.parameters[.gateDown].map(matrix)
    let up = try body.injection.parameters[.gateUp].map(matrix)
    let norm = try body.coreNorm.map(vector)
    let finalNorm = try body.meetsFinalNorm ? vector(graph.finalNorm) : []
    for pass in 0..<recurrence {
      // u = A·[s ; e], s + e, d ⊙ s + e, s, or norm(s).
      stream = zip(state, embedded).map { s, e in
        if body.injection.kind == .gated { return s }
        if body.injection.kind == .carry {
          return pass == 0 ? s : normalised(s, finalNorm, graph.spec.finalNorm)
        }
        if let adapter { return product(adapter, s + e) }
        let kept = decay.map { zip($0, s).map(*) } ?? s
        return zip(kept, e).map(+)
      }
      for block in body.core { stream = try run(block, stream) }
      if let norm {
        let spec = NormSpec(epsilon: graph.spec.finalNorm.epsilon)
        stream = stream.map { normalised($0, norm, spec) }
      }
      if let down, let up {
        stream = zip(stream, state).map { gated($0, from: $1, down, up) }
      }
      state = stream
    }
    if body.normsLatent {
      state = state.map { normalised($0, finalNorm, graph.spec.finalNorm) }
    }
    return state
  }

  /// s′ = c + tanh(U D n) ⊙ (c − s), where n is c − s over its root mean square.
  private func gated(
    _ output: [Double], from state: [Double], _ down: [[Double]], _ up: [[Double]]
  ) -> [Double] {
    let change = zip(output, state).map(-)
    let ones = [Double](repeating: 1, count: change.count)
    let normed = normalised(change, ones, NormSpec(epsilon: graph.spec.finalNorm.epsilon))
    let gate = product(up, product(down, normed)).map { tanh($0) }
    return output.indices.map { output[$0] + gate[$0] * change[$0] }
  }

  private func embed(_ tokens: [Int32]) throws -> [[Double]] {
    try tokens.map { token in
      var row = [Float](repeating: 0, count: graph.sizes.hidden)
      var span = row.mutableSpan
      try reader.readFloats(
        graph.embedding.recipe, shape: graph.embedding.shape, rows: Int(token)..<(Int(token) + 1),
        into: &span)
      return row.map { Double($0) * graph.spec.embeddingMultiplier }
    }
  }

  /// One block over all positions.
  private func run(_ block: Block, _ input: [[Double]]) throws -> [[Double]] {
    let middle = try half(block, input, .attentionInput, .attentionOutput, attention)
    let normed = try normalised(middle, block, .attentionSum)
    return try normalised(half(block, normed, .mlpInput, .mlpOutput, mlp), block, .mlpSum)
  }

  /// x + m · norm(f(norm(x))), where a place without a norm is left as it is.
  private func half(
    _ block: Block, _ input: [[Double]], _ before: BlockNorm.Place, _ after: BlockNorm.Place,
    _ function: (Block, [[Double]]) throws -> [[Double]]
  ) throws -> [[Double]] {
    let result = try normalised(function(block, normalised(input, block, before)), block, after)
    return zip(input, result).map { x, f in
      zip(x, f).map { $0 + block.spec.residualMultiplier * $1 }
    }
  }

  private func normalised(
    _ rows: [[Double]], _ block: Block, _ place: BlockNorm.Place
  ) throws -> [[Double]] {
    guard let spec = block.spec.norm(place) else { return rows }
    let role: BlockRole =
      switch place {
      case .attentionInput: .attentionNorm
      case .attentionOutput: .attentionOutputNorm
      case .attentionSum: .attentionSumNorm
      case .mlpInput: .mlpNorm
      case .mlpOutput: .mlpOutputNorm
      case .mlpSum: .mlpSumNorm
      }
    let weight = try vector(need(block, role))
    return rows.map { normalised($0, weight, spec) }
  }

  private func attention(_ block: Block, _ input: [[Double]]) throws -> [[Double]] {
    let (sizes, spec) = (graph.sizes, block.spec.attention)
    var fused = try projected(
      block, input, fused: (.queryKeyValue, .queryKeyValueBias),
      parts: [(.query, .queryBias), (.key, .keyBias), (.value, .valueBias)])
    if let bias = try block[.queryKeyBias].map(vector) {
      fused = fused.map { row in
        row.indices.map { $0 < bias.count ? row[$0] + bias[$0] : row[$0] }
      }
    }
    let queryNorm = try block[.queryNorm].map(vector)
    let keyNorm = try block[.keyNorm].map(vector)
    let (wide, narrow) = (sizes.queryWidth, sizes.keyValueWidth)
    let turn = ReferenceRotation(spec.rotary, headSize: sizes.headSize, length: input.count)
    let queries = fused.enumerated().map {
      heads(Array($1[..<wide]), queryNorm, spec).map(turn.turned(at: $0))
    }
    let keys = fused.enumerated().map {
      heads(Array($1[wide..<(wide + narrow)]), keyNorm, spec).map(turn.turned(at: $0))
    }
    let values = fused.map { split(Array($0[(wide + narrow)...])) }
    let group = sizes.heads / sizes.keyValueHeads
    let mixed = input.indices.map { position in
      let first = if case .window(let n) = spec.visible { max(0, position - n + 1) } else { 0 }
      return (0..<sizes.heads).flatMap { head -> [Double] in
        let scores = (first...position).map { past in
          let score = dot(queries[position][head], keys[past][head / group]) * spec.scale
          return spec.softcap.map { $0 * tanh(score / $0) } ?? score
        }
        let top = scores.max() ?? 0
        let weights = scores.map { exp($0 - top) }
        let total = weights.reduce(0, +)
        return (0..<sizes.headSize).map { i in
          weights.indices.reduce(0.0) {
            $0 + weights[$1] * values[first + $1][head / group][i]
          } / total
        }
      }
    }
    return try projected(block, mixed, fused: (.output, .outputBias), parts: [])
  }

  private func mlp(_ block: Block, _ input: [[Double]]) throws -> [[Double]] {
    if let experts = block.spec.mlp.experts { return try mixture(block, experts, input) }
    let width = graph.sizes.intermediate
    let both = try projected(
      block, input, fused: (.gateUp, .gateUpBias), parts: [(.gate, .gateBias), (.up, .upBias)])
    let active = both.map { row in
      (0..<width).map { activated(row[$0], block.spec.mlp.activation) * row[width + $0] }
    }
    return try projected(block, active, fused: (.down, .downBias), parts: [])
  }

  func activated(_ x: Double, _ kind: Activation) -> Double {
    switch kind {
    case .silu: x / (1 + exp(-x))
    case .gelu: x * (1 + erf(x / 2.0.squareRoot())) / 2
    case .geluTanh: x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x))) / 2
    }
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

  /// Splits into heads, normalised as the spec says.
  private func heads(
    _ row: [Double], _ weight: [Double]?, _ spec: AttentionSpec
  ) -> [[Double]] {
    guard let weight, let norm = spec.queryKeyNorm else { return split(row) }
    return switch norm.extent {
    case .all: split(normalised(row, weight, norm.spec))
    case .head: split(row).map { normalised($0, weight, norm.spec) }
    }
  }

  private func split(_ row: [Double]) -> [[Double]] {
    stride(from: 0, to: row.count, by: graph.sizes.headSize).map {
      Array(row[$0..<($0 + graph.sizes.headSize)])
    }
  }

  // MARK: Numbers

  private func normalised(_ row: [Double], _ weight: [Double], _ spec: NormSpec) -> [Double] {
    let square = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
    let inverse = 1 / (square + spec.epsilon).squareRoot()
    return zip(row, weight).map { $0 * inverse * (spec.offset + $1) }
  }

  func product(_ rows: [[Double]], _ x: [Double]) -> [Double] { rows.map { dot($0, x) } }

  private func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for i in a.indices { sum += a[i] * b[i] }
    return sum
  }

  func need(_ block: Block, _ role: BlockRole) throws(VerificationError) -> Parameter {
    guard let parameter = block[role] else { throw VerificationError(.missingPart(role.rawValue)) }
    return parameter
  }

  private func vector(_ parameter: Parameter) throws -> [Double] {
    try matrix(parameter).flatMap { $0 }
  }

  /// The parameter's rows; a vector is a matrix of rows of one value.
  func matrix(_ parameter: Parameter) throws -> [[Double]] {
    let rows = parameter.shape.first ?? 1
    var values = [Float](repeating: 0, count: parameter.elementCount)
    var span = values.mutableSpan
    try reader.readFloats(parameter.recipe, shape: parameter.shape, rows: 0..<rows, into: &span)
    let width = parameter.elementCount / max(1, rows)
    return (0..<rows).map { row in (0..<width).map { Double(values[row * width + $0]) } }
  }
}
