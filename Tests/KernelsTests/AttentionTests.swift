import Foundation
import Kernels
import Tensors
import Testing

/// Attention by its definition.
private func textbook(
  _ q: Rows, _ k: Rows, _ v: Rows, heads: Int, keyValueHeads: Int, size: Int, sequences: Int,
  first: [Int32]?, window: Int? = nil, softcap: Double? = nil
) -> Rows {
  let queries = q.count / sequences
  let keys = k.count / sequences
  return q.indices.map { row in
    let (b, t) = (row / queries, row % queries)
    return (0..<heads).flatMap { head -> [Double] in
      let column = head / (heads / keyValueHeads) * size
      let last = keys - queries + t
      let seen = max(Int(first?[row] ?? 0), last + 1 - (window ?? .max / 2))...last
      let weights = seen.map { j in
        let score =
          (0..<size).reduce(0.0) {
            $0 + q[row][head * size + $1] * k[b * keys + j][column + $1]
          } / Double(size).squareRoot()
        return exp(softcap.map { $0 * tanh(score / $0) } ?? score)
      }
      let total = weights.reduce(0, +)
      return (0..<size).map { i in
        zip(seen, weights).reduce(0.0) { $0 + $1.1 * v[b * keys + $1.0][column + i] } / total
      }
    }
  }
}

/// Attention of two heads of 4 over one key head, forward and backward, on random operands.
private struct TrainingPass {
  let q, k, v, dy: Matrix
  /// The result of the forward pass, and what the backward pass makes of it again.
  let y, again: Matrix
  let dq, dk, dv: Matrix

  init(
    length: Int, first: [Int32]?, window: Int? = nil, softcap: Float = 0, on compute: Compute
  ) throws {
    let shape = AttentionShape(heads: 2, keyValueHeads: 1, headSize: 4, softcap: softcap)
    let visibility = Visibility(sequences: 1, queries: length, first: first, window: window)
    (q, k) = (try random(length, 8, seed: 7), try random(length, 4, seed: 8))
    (v, dy) = (try random(length, 4, seed: 9), try random(length, 8, seed: 10))
    (y, again) = (try Matrix(rows: length, columns: 8), try Matrix(rows: length, columns: 8))
    dq = try Matrix(rows: length, columns: 8)
    (dk, dv) = (try Matrix(rows: length, columns: 4), try Matrix(rows: length, columns: 4))
    let sums = try Matrix(rows: 2, columns: length)
    let partial = try Matrix(rows: length, columns: 8)
    attention(y, logSums: sums, q: q, k: k, v: v, shape, visibility, on: compute)
    attentionBackward(
      dq: dq, dk: dk, dv: dv, partial: (partial.columns(0..<4), partial.columns(4..<8)), y: again,
      dy: dy, logSums: sums, q: q, k: k, v: v, shape, visibility, on: compute)
  }
}

@Suite("attention against its definition in Double")
struct AttentionTests {
  let compute: Compute

  init() throws { compute = try Compute(2) }

  @Test(
    "forward, whole and packed, short and over several tiles",
    arguments: [(1, 1, 8), (5, 2, 4), (150, 2, 8)], [false, true])
  func forward(extents: (length: Int, heads: Int, size: Int), isPacked: Bool) throws {
    let (length, heads, size) = extents
    let q = try random(2 * length, 2 * heads * size, seed: 1)
    let k = try random(2 * length, heads * size, seed: 2)
    let v = try random(2 * length, heads * size, seed: 3, stride: heads * size + 5)
    let first =
      isPacked ? (0..<2 * length).map { Int32($0 % length / 3 * 3) } : nil
    let y = try Matrix(rows: q.rows, columns: q.columns)
    let sums = try Matrix(rows: 2 * heads, columns: q.rows)
    let shape = AttentionShape(heads: 2 * heads, keyValueHeads: heads, headSize: size)
    attention(
      y, logSums: sums, q: q, k: k, v: v, shape,
      Visibility(sequences: 2, queries: length, first: first), on: compute)
    let want = textbook(
      q.doubles, k.doubles, v.doubles, heads: 2 * heads, keyValueHeads: heads, size: size,
      sequences: 2, first: first)
    #expect(relativeError(y, want) < 1e-6)
  }

  @Test("one query over a cache is the last row of the whole", arguments: [1, 2, 70])
  func cached(length: Int) throws {
    let shape = AttentionShape(heads: 4, keyValueHeads: 2, headSize: 6)
    let q = try random(1, 24, seed: 4)
    let (k, v) = (try random(100, 12, seed: 5), try random(100, 12, seed: 6))
    let y = try Matrix(rows: 1, columns: 24)
    attention(
      y, logSums: nil, q: q, k: k, v: v, shape,
      Visibility(sequences: 1, queries: 1, past: length - 1, keyRows: 100), on: compute)
    let want = textbook(
      q.doubles, Array(k.doubles[..<length]), Array(v.doubles[..<length]), heads: 4,
      keyValueHeads: 2, size: 6, sequences: 1, first: nil)
    #expect(relativeError(y, want) < 1e-6)
  }

  @Test(
    "windows and softcaps, over tiles and over a cache", arguments: [1, 7, 64, 200], [nil, 0.4])
  func windows(window: Int, softcap: Double?) throws {
    let (length, shape) = (
      150,
      AttentionShape(heads: 4, keyValueHeads: 2, headSize: 6, softcap: Float(softcap ?? 0))
    )
    let (q, k) = (try random(length, 24, seed: 4), try random(length, 12, seed: 5))
    let v = try random(length, 12, seed: 6)
    let y = try Matrix(rows: length, columns: 24)
    attention(
      y, logSums: nil, q: q, k: k, v: v, shape,
      Visibility(sequences: 1, queries: length, window: window), on: compute)
    let want = textbook(
      q.doubles, k.doubles, v.doubles, heads: 4, keyValueHeads: 2, size: 6, sequences: 1,
      first: nil, window: window, softcap: softcap)
    #expect(relativeError(y, want) < 1e-6)
    let last = try Matrix(rows: 1, columns: 24)
    attention(
      last, logSums: nil, q: q.rows(length - 1..<length), k: k, v: v, shape,
      Visibility(sequences: 1, queries: 1, past: length - 1, window: window), on: compute)
    #expect(relativeError(last, [want[length - 1]]) < 1e-6)
  }

  @Test("gradients through windows and softcaps")
  func windowGradients() throws {
    let pass = try TrainingPass(length: 19, first: nil, window: 5, softcap: 0.4, on: compute)
    func run(_ q: Rows, _ k: Rows, _ v: Rows) -> Rows {
      textbook(
        q, k, v, heads: 2, keyValueHeads: 1, size: 4, sequences: 1, first: nil, window: 5,
        softcap: 0.4)
    }
    let (qs, ks, vs) = (pass.q.doubles, pass.k.doubles, pass.v.doubles)
    let dy = pass.dy.doubles
    #expect(relativeError(pass.again, run(qs, ks, vs)) < 1e-6)
    #expect(relativeError(pass.dq, numericGradient(qs, dy) { run($0, ks, vs) }) < 1e-5)
    #expect(relativeError(pass.dk, numericGradient(ks, dy) { run(qs, $0, vs) }) < 1e-5)
    #expect(relativeError(pass.dv, numericGradient(vs, dy) { run(qs, ks, $0) }) < 1e-5)
  }

  @Test("a score of hundreds does not overflow, wherever its key stands", arguments: [1, 5])
  func largeScore(queries: Int) throws {
    let (length, shape) = (75, AttentionShape(heads: 1, keyValueHeads: 1, headSize: 4))
    let visibility = Visibility(sequences: 1, queries: queries, past: length - queries)
    let (q, k) = (try Matrix(rows: queries, columns: 4), try Matrix(rows: length, columns: 4))
    let v = try random(length, 4, seed: 11)
    for query in 0..<queries { q[query, 0] = 1 }
    for large in 0...(length - queries) {
      clear(k, on: compute)
      k[large, 0] = 800
      let y = try Matrix(rows: queries, columns: 4)
      attention(y, logSums: nil, q: q, k: k, v: v, shape, visibility, on: compute)
      // The softmax has all its weight there: e^-400 is nothing beside 1.
      for query in 0..<queries { #expect(y.row(query) == v.row(large)) }
    }
  }

  @Test("gradients against central differences", arguments: [false, true])
  func gradients(isPacked: Bool) throws {
    let first = isPacked ? (0..<19).map { Int32($0 / 7 * 7) } : nil
    let pass = try TrainingPass(length: 19, first: first, on: compute)
    #expect(relativeError(pass.again, pass.y.doubles) < 1e-6)
    func run(_ q: Rows, _ k: Rows, _ v: Rows) -> Rows {
      textbook(q, k, v, heads: 2, keyValueHeads: 1, size: 4, sequences: 1, first: first)
    }
    let (qs, ks, vs) = (pass.q.doubles, pass.k.doubles, pass.v.doubles)
    let dy = pass.dy.doubles
    #expect(relativeError(pass.dq, numericGradient(qs, dy) { run($0, ks, vs) }) < 1e-5)
    #expect(relativeError(pass.dk, numericGradient(ks, dy) { run(qs, $0, vs) }) < 1e-5)
    #expect(relativeError(pass.dv, numericGradient(vs, dy) { run(qs, ks, $0) }) < 1e-5)
  }

  /// Four tiles, so that both halves of a key head's tasks have some.
  @Test("gradients over several tiles, along a direction", arguments: [Precision.float32, .bf16])
  func gradientsOfTiles(precision: Precision) throws {
    guard precision.isSupported else { return }
    let compute = try Compute(2, precision: precision)
    let pass = try TrainingPass(length: 230, first: nil, on: compute)
    let (operands, dy) = ([pass.q.doubles, pass.k.doubles, pass.v.doubles], pass.dy.doubles)
    for (i, gradient) in [pass.dq, pass.dk, pass.dv].enumerated() {
      // Along the gradient itself a function changes by the square of the gradient's norm.
      let direction = gradient.doubles
      let slope = dot(direction, direction)
      func value(_ step: Double) -> Double {
        var moved = operands
        moved[i] = zip(moved[i], direction).map { x, d in zip(x, d).map { $0 + step * $1 } }
        return dot(
          textbook(
            moved[0], moved[1], moved[2], heads: 2, keyValueHeads: 1, size: 4, sequences: 1,
            first: nil), dy)
      }
      let step = 1e-4 / slope.squareRoot()
      let measured = (value(step) - value(-step)) / (2 * step)
      #expect(abs(measured - slope) < (precision == .bf16 ? 2e-2 : 1e-5) * slope)
    }
  }
}

private func dot(_ x: Rows, _ y: Rows) -> Double {
  zip(x, y).reduce(0.0) { $0 + zip($1.0, $1.1).reduce(0.0) { $0 + $1.0 * $1.1 } }
}
