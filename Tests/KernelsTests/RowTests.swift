import Foundation
import Kernels
import Tensors
import Testing

/// Float32 sums of a few hundred products.
private let tolerance = 1e-6

private func norm(
  _ x: Rows, _ scale: [Double], _ epsilon: Double, offset: Double = 0
) -> Rows {
  x.map { row in
    stride(from: 0, to: row.count, by: scale.count).flatMap { start in
      let run = row[start..<(start + scale.count)]
      let mean = run.reduce(0) { $0 + $1 * $1 } / Double(run.count)
      return zip(run, scale).map { $0 * (offset + $1) / (mean + epsilon).squareRoot() }
    }
  }
}

private func gated(_ x: Rows, by kind: ActivationKind) -> Rows {
  func active(_ x: Double) -> Double {
    switch kind {
    case .silu: x / (1 + exp(-x))
    case .gelu: x * erfc(-x / 2.0.squareRoot()) / 2
    case .geluTanh: x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * pow(x, 3))))
    }
  }
  return x.map { row in
    let half = row.count / 2
    return (0..<half).map { active(row[$0]) * row[half + $0] }
  }
}

@Suite("row kernels against the definitions in Double")
struct RowTests {
  let compute: Compute

  init() throws { compute = try Compute(3) }

  @Test("rmsNorm and its gradient", arguments: [(1, 1, 1), (5, 16, 16), (7, 33, 33), (4, 24, 8)])
  func rmsNorms(rows: Int, width: Int, run: Int) throws {
    let x = try random(rows, width, seed: 1, stride: width + 3)
    let scale = try random(1, run, seed: 2)
    let y = try Matrix(rows: rows, columns: width)
    rmsNorm(y, x, scale: scale, epsilon: 1e-5, on: compute)
    let want = norm(x.doubles, scale.doubles[0], 1e-5)
    #expect(relativeError(y, want) < tolerance)
    rmsNorm(y, x, scale: scale, epsilon: 1e-5, adding: true, on: compute)
    #expect(relativeError(y, want.map { $0.map { 2 * $0 } }) < tolerance)

    let dy = try random(rows, width, seed: 3)
    let (dx, dScale) = (try Matrix(rows: rows, columns: width), try Matrix(rows: 1, columns: run))
    rmsNormBackward(dx, dScale, dy, x, scale: scale, epsilon: 1e-5, adding: false, on: compute)
    let wantDx = numericGradient(x.doubles, dy.doubles) { norm($0, scale.doubles[0], 1e-5) }
    let wantScale = numericGradient(scale.doubles, dy.doubles) { norm(x.doubles, $0[0], 1e-5) }
    // One channel is normalised to its sign: the true gradient vanishes up to epsilon.
    #expect(width == 1 || relativeError(dx, wantDx) < 1e-5)
    #expect(relativeError(dScale, wantScale) < 1e-5)
  }

  @Test("rmsNorm with weights that are stored less one, and its gradient")
  func offsetNorm() throws {
    let (x, scale) = (try random(5, 24, seed: 1), try random(1, 8, seed: 2))
    let y = try Matrix(rows: 5, columns: 24)
    rmsNorm(y, x, scale: scale, offset: 1, epsilon: 1e-5, on: compute)
    #expect(relativeError(y, norm(x.doubles, scale.doubles[0], 1e-5, offset: 1)) < tolerance)
    let dy = try random(5, 24, seed: 3)
    let (dx, dScale) = (try Matrix(rows: 5, columns: 24), try Matrix(rows: 1, columns: 8))
    rmsNormBackward(
      dx, dScale, dy, x, scale: scale, offset: 1, epsilon: 1e-5, adding: false, on: compute)
    func run(_ x: Rows, _ scale: Rows) -> Rows { norm(x, scale[0], 1e-5, offset: 1) }
    let (xs, scales) = (x.doubles, scale.doubles)
    #expect(relativeError(dx, numericGradient(xs, dy.doubles) { run($0, scales) }) < 1e-5)
    #expect(relativeError(dScale, numericGradient(scales, dy.doubles) { run(xs, $0) }) < 1e-5)
  }

  @Test(
    "gated activations and their gradients", arguments: [(1, 1), (3, 16), (5, 37)],
    [ActivationKind.silu, .gelu, .geluTanh])
  func gates(extents: (rows: Int, width: Int), kind: ActivationKind) throws {
    let (rows, width) = extents
    let x = try random(rows, 2 * width, seed: 4)
    x.assign(x.floats.map { 8 * $0 })
    let y = try Matrix(rows: rows, columns: width)
    Kernels.gated(y, x, by: kind, on: compute)
    #expect(relativeError(y, gated(x.doubles, by: kind)) < tolerance)
    let dy = try random(rows, width, seed: 5)
    let want = numericGradient(x.doubles, dy.doubles) { gated($0, by: kind) }
    let dx = try Matrix(rows: rows, columns: 2 * width)
    gatedBackward(dx, dy, dy, x, by: kind, on: compute)
    #expect(relativeError(dx, want) < 1e-5)
    #expect(relativeError(dy, gated(x.doubles, by: kind)) < tolerance)
  }

  @Test("shares of channels and their gradients", arguments: [(1, 1), (5, 37), (300, 300)])
  func sigmoids(rows: Int, width: Int) throws {
    func kept(_ x: Rows, _ w: [Double]) -> Rows {
      x.map { zip($0, w).map { $0 / (1 + exp(-$1)) } }
    }
    let x = try random(rows, width, seed: 7, stride: width + 3)
    let w = try random(1, width, seed: 8)
    w.assign(w.floats.map { 6 * $0 })
    let y = try Matrix(rows: rows, columns: width)
    multiplyBySigmoid(y, x, w, on: compute)
    let want = kept(x.doubles, w.doubles[0])
    #expect(relativeError(y, want) < tolerance)
    multiplyBySigmoid(y, x, w, adding: true, on: compute)
    #expect(relativeError(y, want.map { $0.map { 2 * $0 } }) < tolerance)
    let dy = try random(rows, width, seed: 9)
    let dw = try Matrix(rows: 1, columns: width)
    multiplyBySigmoidBackward(dw, dy, x, w, on: compute)
    // The derivative of a sum of products by each share, times that of the sigmoid.
    let slopes = w.doubles[0].indices.map { i -> Double in
      let share = 1 / (1 + exp(-w.doubles[0][i]))
      return share * (1 - share) * zip(dy.doubles, x.doubles).reduce(0) { $0 + $1.0[i] * $1.1[i] }
    }
    #expect(relativeError(dw, [slopes]) < 1e-5)
    multiplyBySigmoid(x, x, w, on: compute)
    #expect(relativeError(x, want) < tolerance)
  }

  @Test("a gate adds a share of the change, and its gradients are the derivatives")
  func gates() throws {
    let (rows, width) = (3, 37)
    let (output, state) = (try random(rows, width, seed: 1), try random(rows, width, seed: 2))
    let (x, dy) = (try random(rows, width, seed: 3), try random(rows, width, seed: 4))
    let (c, s, opened, d) = (output.doubles, state.doubles, x.doubles, dy.doubles)
    func made(_ value: (Int, Int) -> Double) -> [[Double]] {
      (0..<rows).map { r in (0..<width).map { value(r, $0) } }
    }
    let y = try Matrix(rows: rows, columns: width)
    gate(y, output: output, state: state, x, on: compute)
    let want = made { c[$0][$1] + tanh(opened[$0][$1]) * (c[$0][$1] - s[$0][$1]) }
    #expect(relativeError(y, want) < tolerance)
    let change = try Matrix(rows: rows, columns: width)
    copy(change, output, on: compute)
    addScaled(change, state, by: -1, on: compute)
    let dChange = try Matrix(rows: rows, columns: width)
    gateBackward(x, dChange, dy, change: change, on: compute)
    #expect(relativeError(dChange, made { d[$0][$1] * tanh(opened[$0][$1]) }) < tolerance)
    let slopes = made {
      d[$0][$1] * (c[$0][$1] - s[$0][$1]) / pow(cosh(opened[$0][$1]), 2)
    }
    #expect(relativeError(x, slopes) < 1e-5)
    // In place, and where nothing passes the gate.
    clear(x, on: compute)
    gate(output, output: output, state: state, x, on: compute)
    #expect(output.doubles == c)
  }

  @Test("rotation turns split-half pairs, and back")
  func rotation() throws {
    let frequencies: [Float] = [1, 0.25, 0.01]
    let table = try RotationTable(frequencies: frequencies, positions: 100)
    let positions: [Int32] = [0, 1, 99]
    let x = try random(3, 12, seed: 6)
    let y = try Matrix(rows: 3, columns: 12)
    rotate(y, x, table, positions: positions, on: compute)
    let want = zip(x.doubles, positions).map { row, position in
      (0..<12).map { column in
        let (head, i) = (column / 6 * 6, column % 6)
        let angle = Double(Float(position) * frequencies[i % 3])
        let (a, b) = (row[head + i % 3], row[head + i % 3 + 3])
        return i < 3 ? a * cos(angle) - b * sin(angle) : b * cos(angle) + a * sin(angle)
      }
    }
    #expect(relativeError(y, want) < tolerance)
    rotate(y, y, table, positions: positions, inverse: true, on: compute)
    #expect(relativeError(y, x.doubles) < tolerance)
  }

  @Test("a table of fewer values than a head turns its first ones, times the table's magnitude")
  func partialRotation() throws {
    let table = try RotationTable(frequencies: [1, 0.25], positions: 10, magnitude: 1.5)
    let x = try random(2, 12, seed: 6)
    let before = x.doubles
    rotate(x, x, table, headSize: 6, positions: [0, 9], on: compute)
    let want = zip(before, [0.0, 9]).map { row, position in
      (0..<12).map { column in
        let (head, i) = (column / 6 * 6, column % 6)
        if i >= 4 { return row[column] }
        let angle = position * [1, 0.25][i % 2]
        let (a, b) = (row[head + i % 2], row[head + i % 2 + 2])
        return 1.5 * (i < 2 ? a * cos(angle) - b * sin(angle) : b * cos(angle) + a * sin(angle))
      }
    }
    #expect(relativeError(x, want) < tolerance)
  }

  @Test("bias and its gradient")
  func biases() throws {
    let (y, bias) = (try random(9, 5, seed: 7), try random(1, 5, seed: 8))
    let before = y.doubles
    addBias(y, bias, on: compute)
    #expect(
      relativeError(y, before.map { zip($0, bias.doubles[0]).map(+) }) < tolerance)
    let d = try Matrix(rows: 1, columns: 5)
    addBiasBackward(d, y, on: compute)
    let want = (0..<5).map { c in y.doubles.reduce(0.0) { $0 + $1[c] } }
    #expect(relativeError(d, [want]) < tolerance)
  }

  @Test("cross-entropy and its gradient; rows without a label count nothing")
  func crossEntropies() throws {
    let labels: [Int32] = [3, -100, 0, 6]
    let logits = try random(4, 7, seed: 9)
    logits.assign(logits.floats.map { 20 * $0 })
    func losses(_ x: Rows) -> Rows {
      zip(x, labels).map { row, label in
        label < 0 ? [0] : [log(row.reduce(0) { $0 + exp($1) }) - row[Int(label)]]
      }
    }
    let x = logits.doubles
    let want = losses(x)
    let each = try Matrix(rows: 1, columns: 4)
    let sum = crossEntropy(losses: each, logits, labels: labels, weight: 0.5, on: compute)
    #expect(abs(sum - want.reduce(0) { $0 + $1[0] }) < 1e-5 * abs(sum))
    #expect(relativeError(each, [want.flatMap(\.self)]) < tolerance)
    let gradient = numericGradient(x, [[0.5], [0.5], [0.5], [0.5]], losses)
    #expect(relativeError(logits, gradient) < 1e-5)
  }

  @Test("cross-entropy of logits that are divided and capped, and its gradient")
  func cappedCrossEntropies() throws {
    let labels: [Int32] = [3, -100, 0, 6]
    let form = LogitForm(divisor: 2, softcap: 5)
    let results = try random(4, 7, seed: 9)
    results.assign(results.floats.map { 20 * $0 })
    func losses(_ x: Rows) -> Rows {
      zip(x, labels).map { row, label in
        let row = row.map { 5 * tanh($0 / 2 / 5) }
        return label < 0 ? [0] : [log(row.reduce(0) { $0 + exp($1) }) - row[Int(label)]]
      }
    }
    let x = results.doubles
    form.apply(results, on: compute)
    #expect(relativeError(results, x.map { $0.map { 5 * tanh($0 / 10) } }) < tolerance)
    let sum = crossEntropy(results, form, labels: labels, weight: 0.5, on: compute)
    #expect(abs(sum - losses(x).reduce(0) { $0 + $1[0] }) < 1e-5 * abs(sum))
    let gradient = numericGradient(x, [[0.5], [0.5], [0.5], [0.5]], losses)
    #expect(relativeError(results, gradient) < 1e-5)
  }

  @Test("loss against labels and a teacher, with its gradient", arguments: [1.0, 2.5])
  func distillation(temperature: Double) throws {
    let (width, mix, weight) = (21, 0.3, 0.25)
    let logits = try random(4, width, seed: 21)
    let teacher = try random(4, width, seed: 22)
    let labels: [Int32] = [20, -100, 0, 7]
    let taught = teacher.doubles.map { softmax($0.map { $0 / temperature }) }
    func divergence(_ x: [Double], _ row: Int) -> Double {
      zip(taught[row], softmax(x.map { $0 / temperature })).reduce(0) {
        $0 + $1.0 * log($1.0 / $1.1)
      }
    }
    func losses(_ x: [[Double]]) -> [[Double]] {
      x.enumerated().map { row, x in
        guard labels[row] >= 0 else { return [0] }
        let hard = -log(softmax(x)[Int(labels[row])])
        return [(1 - mix) * hard + mix * temperature * temperature * divergence(x, row)]
      }
    }
    let x = logits.doubles
    let sums = Kernels.distillation(
      logits, teacher, labels: labels,
      DistillationMix(temperature: Float(temperature), mix: Float(mix)), weight: Float(weight),
      on: compute)
    let rows = labels.indices.filter { labels[$0] >= 0 }
    let hard = rows.reduce(0) { $0 - log(softmax(x[$1])[Int(labels[$1])]) }
    let soft = rows.reduce(0) { $0 + divergence(x[$1], $1) }
    #expect(abs(sums.crossEntropy - hard) < 1e-5 * hard)
    #expect(abs(sums.divergence - soft) < 1e-5 * soft)
    let gradient = numericGradient(x, [[Double]](repeating: [weight], count: 4), losses)
    #expect(relativeError(logits, gradient) < 1e-5)
  }

  private func softmax(_ x: [Double]) -> [Double] {
    let sum = x.reduce(0) { $0 + exp($1) }
    return x.map { exp($0) / sum }
  }

  @Test("embedding rows are gathered, and their gradients added where tokens repeat")
  func embeddings() throws {
    let table = try random(6, 19, seed: 10)
    let tokens: [Int32] = [5, 0, 5]
    let y = try Matrix(rows: 3, columns: 19)
    embed(y, tokens: tokens, table: Weight(table), on: compute)
    #expect(y.row(0) == table.row(5) && y.row(1) == table.row(0))
    let d = try Matrix(rows: 6, columns: 19)
    embedBackward(d, y, tokens: tokens, on: compute)
    #expect(d.row(5) == table.row(5).map { 2 * $0 } && d.row(0) == table.row(0))
    #expect(d.row(1).allSatisfy { $0 == 0 })
  }
}
