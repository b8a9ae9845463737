import Kernels
import Tensors
import Testing

private func product(_ a: Rows, _ b: Rows) -> Rows {
  a.map { row in
    b[0].indices.map { c in row.indices.reduce(0.0) { $0 + row[$1] * b[$1][c] } }
  }
}

private func transpose(_ a: Rows) -> Rows {
  a[0].indices.map { c in a.map { $0[c] } }
}

@Suite("matrix products against the definition in Double")
struct ProductTests {
  @Test(
    "every layout, any number of threads", arguments: [1, 2, 3],
    [(1, 1, 1), (5, 7, 3), (65, 130, 33), (200, 90, 70)])
  func layouts(threads: Int, extents: (m: Int, n: Int, k: Int)) throws {
    let (m, n, k) = extents
    let compute = try Compute(threads)
    let (a, b) = (try random(m, k, seed: 1), try random(k, n, seed: 2, stride: n + 4))
    let (at, bt) = (try random(k, m, seed: 3), try random(n, k, seed: 4))
    let c = try Matrix(rows: m, columns: n)
    multiply(c, a, b, on: compute)
    #expect(relativeError(c, product(a.doubles, b.doubles)) < 1e-6)
    multiply(c, Operand(a), bt.transposed, on: compute)
    #expect(relativeError(c, product(a.doubles, transpose(bt.doubles))) < 1e-6)
    multiply(c, at.transposed, Operand(b), on: compute)
    let want = product(transpose(at.doubles), b.doubles)
    #expect(relativeError(c, want) < 1e-6)
    multiply(c, at.transposed, Operand(b), adding: true, on: compute)
    #expect(relativeError(c, want.map { $0.map { 2 * $0 } }) < 1e-6)
  }

  @Test("an adapted weight is the weight plus its scaled factors", arguments: [1, 3])
  func lowRank(threads: Int) throws {
    let w = try random(50, 70, seed: 6, stride: 75)
    let (b, a) = (try random(50, 3, seed: 7), try random(3, 70, seed: 8))
    let want = zip(w.doubles, product(b.doubles, a.doubles)).map { row, change in
      zip(row, change).map { $0 + 1.5 * $1 }
    }
    addLowRank(w, b, a, scale: 1.5, on: try Compute(threads))
    #expect(relativeError(w, want) < 1e-6)
  }

  @Test(
    "symmetric results, by half and mirrored", arguments: [1, 2, 3], [(1, 3), (40, 90), (133, 20)])
  func symmetric(threads: Int, extents: (n: Int, k: Int)) throws {
    let (wide, compute) = (try random(extents.n, extents.k, seed: 9), try Compute(threads))
    let c = try Matrix(rows: extents.n, columns: extents.n)
    multiplySymmetric(c, Operand(wide), wide.transposed, on: compute)
    let want = product(wide.doubles, transpose(wide.doubles))
    #expect(relativeError(c, want) < 1e-6)
    let square = try Matrix(rows: extents.n, columns: extents.n)
    multiplySymmetric(square, Operand(c), Operand(c), on: compute)
    #expect(relativeError(square, product(want, want)) < 1e-6)
    #expect(square.doubles == transpose(square.doubles))
  }

  @Test(
    "symmetric results of bf16 operands", .enabled(if: Precision.bf16.isSupported),
    arguments: [1, 2, 3], [(1, 3), (40, 90), (133, 20), (300, 500)])
  func symmetricInBfloat16(threads: Int, extents: (n: Int, k: Int)) throws {
    let wide = try random(extents.n, extents.k, seed: 9)
    let compute = try Compute(threads, precision: .bf16)
    let c = try Matrix(rows: extents.n, columns: extents.n)
    multiplySymmetric(c, Operand(wide), wide.transposed, on: compute)
    // Every element is the sum that the whole product makes of it.
    let whole = try Matrix(rows: extents.n, columns: extents.n)
    multiply(whole, Operand(wide), wide.transposed, on: compute)
    #expect(relativeError(c, product(wide.doubles, transpose(wide.doubles))) < 1e-2)
    #expect(c.doubles == transpose(c.doubles))
    for row in 0..<extents.n {
      for column in 0...row { #expect(c[row, column] == whole[row, column]) }
    }
  }

  /// Weights in their stored type, and what they decode to.
  private func stored(
    _ form: Weight.Form, _ outputs: Int, _ inputs: Int
  ) throws -> (Weight, Matrix) {
    let values = try random(outputs, inputs, seed: 5)
    if form == .q80 {
      let weight = try #require(try Weight(quantising: values))
      // ggml's reference: the largest of 32 is 127 steps, the step a float16.
      for row in 0..<outputs {
        for start in stride(from: 0, to: inputs, by: 32) {
          let block = (start..<start + 32).map { values[row, $0] }
          let top = block.reduce(0) { max($0, abs($1)) }
          let (scale, inverse) = (Float(Float16(top / 127)), 1 / (top / 127))
          for (i, value) in block.enumerated() {
            values[row, start + i] = scale * (value * inverse).rounded(.toNearestOrAwayFromZero)
          }
        }
      }
      return (weight, values)
    }
    let buffer = try Buffer(byteCount: form.byteCount(outputs * inputs))
    let type: ElementType = form == .f32 ? .f32 : form == .f16 ? .f16 : .bf16
    try buffer.withMutableBytes { bytes in
      _ = try encode(values.floats.span, as: type, into: &bytes)
      var floats = values.floats
      var span = floats.mutableSpan
      try decode(bytes.bytes, as: type, into: &span)
      values.assign(floats)
    }
    return (Weight(buffer, rows: outputs, columns: inputs, form: form), values)
  }

  @Test(
    "a row of a linear layer is the same bits alone and beside others, on any number of threads",
    arguments: [Weight.Form.f32, .f16, .bf16, .q80], [(70, 1120), (33, 37), (64, 16), (7, 2080)])
  func companions(form: Weight.Form, extents: (outputs: Int, inputs: Int)) throws {
    // Blocks are whole.
    if extents.inputs % form.blockElements != 0 { return }
    let (weight, _) = try stored(form, extents.outputs, extents.inputs)
    let x = try random(independentRows, extents.inputs, seed: 6)
    let start = try random(independentRows, extents.outputs, seed: 7)
    for adding in [false, true] {
      let alone = try (0..<x.rows).map { row in
        let y = try Matrix(rows: 1, columns: extents.outputs)
        copy(y, start.rows(row..<(row + 1)), on: try Compute(1))
        linear(y, x.rows(row..<(row + 1)), weight, adding: adding, on: try Compute(1))
        return y.floats
      }
      for (rows, threads) in [(2, 1), (3, 2), (4, 1), (5, 3), (16, 2), (23, 1), (64, 3)] {
        let y = try Matrix(rows: rows, columns: extents.outputs)
        let compute = try Compute(threads)
        copy(y, start.rows(0..<rows), on: compute)
        linear(y, x.rows(0..<rows), weight, adding: adding, on: compute)
        for row in 0..<rows { #expect(y.row(row) == alone[row], "row \(row) of \(rows)") }
      }
    }
  }

  /// Rows up to 64 go through one kernel, more through another.
  @Test(
    "linear layers over stored weights", arguments: [Weight.Form.f32, .f16, .bf16, .q80],
    [1, 2, 4, 5, 40, 65])
  func stored(form: Weight.Form, rows: Int) throws {
    let (outputs, inputs) = (70, 1120)
    let (weight, values) = try stored(form, outputs, inputs)
    let x = try random(rows, inputs, seed: 6)
    let y = try Matrix(rows: rows, columns: outputs)
    let compute = try Compute(2)
    linear(y, x, weight, on: compute)
    let want = product(x.doubles, transpose(values.doubles))
    #expect(relativeError(y, want) < 1e-6)
    linear(y, x, weight, adding: true, on: compute)
    #expect(relativeError(y, want.map { $0.map { 2 * $0 } }) < 1e-6)
    let half = weight.columns(512..<1120)
    linear(y, x.columns(512..<1120), half, on: compute)
    let part = product(
      x.columns(512..<1120).doubles, transpose(values.columns(512..<1120).doubles))
    #expect(relativeError(y, part) < 1e-6)
  }

  /// The extents go past every block of the kernel: rows, columns, depth, and depth that is kept.
  @Test(
    "operands rounded to bfloat16 give the sums of the rounded ones, where the processor has it",
    .enabled(if: Precision.bf16.isSupported), arguments: [1, 2],
    [(130, 97, 300), (1100, 20, 33), (4, 600, 400), (2, 580, 2310)])
  func rounded(threads: Int, extents: (m: Int, n: Int, k: Int)) throws {
    let (m, n, k) = extents
    let (a, b) = (try random(m, k, seed: 7), try random(k, n, seed: 8))
    let compute = try Compute(threads, precision: .bf16)
    let c = try Matrix(rows: m, columns: n)
    multiply(c, a, b, on: compute)
    let want = product(rounded(a), rounded(b))
    #expect(relativeError(c, want) < 1e-6)
    let (at, bt) = (try transposed(a), try transposed(b))
    multiply(c, at.transposed, bt.transposed, adding: true, on: compute)
    #expect(relativeError(c, want.map { $0.map { 2 * $0 } }) < 1e-6)
  }

  /// 1040 outputs go past a tile of weights, 608 inputs past a block of the kernel.
  @Test(
    "linear layers over stored weights with bf16 operands",
    .enabled(if: Precision.bf16.isSupported), arguments: [Weight.Form.f16, .bf16, .q80],
    [(65, 1040, 64), (70, 33, 608)])
  func roundedOverStored(
    form: Weight.Form, extents: (rows: Int, outputs: Int, inputs: Int)
  ) throws {
    let (rows, outputs, inputs) = extents
    let (weight, values) = try stored(form, outputs, inputs)
    let x = try random(rows, inputs, seed: 6)
    let y = try Matrix(rows: rows, columns: outputs)
    let compute = try Compute(2, precision: .bf16)
    linear(y, x, weight, on: compute)
    let want = product(rounded(x), transpose(rounded(values)))
    #expect(relativeError(y, want) < 1e-6)
    linear(y, x, weight, adding: true, on: compute)
    #expect(relativeError(y, want.map { $0.map { 2 * $0 } }) < 1e-6)
  }

  @Test(
    "for decoding, up to 64 rows are the same bits whatever the precision",
    .enabled(if: Precision.bf16.isSupported), arguments: [1, 5, 64])
  func decoding(rows: Int) throws {
    let (weight, _) = try stored(.bf16, 70, 96)
    let x = try random(rows, 96, seed: 6)
    let (y, same) = (try Matrix(rows: rows, columns: 70), try Matrix(rows: rows, columns: 70))
    linear(y, x, weight, on: try Compute(2))
    linear(same, x, weight, on: try Compute(2, precision: .bf16, isDecoding: true))
    #expect(y.floats == same.floats)
  }

  /// To nearest even in bfloat16.
  private func rounded(_ x: Matrix) -> Rows {
    x.doubles.map { row in
      row.map { value in
        let bits = Float(value).bitPattern
        return Double(Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000))
      }
    }
  }

  private func transposed(_ x: Matrix) throws -> Matrix {
    let result = try Matrix(rows: x.columns, columns: x.rows)
    result.assign(transpose(x.doubles).flatMap { $0.map(Float.init) })
    return result
  }
}

@Suite("a crew of threads")
struct WorkersTests {
  @Test("every part is done once, whatever the number of threads", arguments: [1, 2, 3, 7])
  func parts(threads: Int) throws {
    let compute = try Compute(threads)
    for count in [0, 1, 5, 100] {
      let done = try Matrix(rows: 1, columns: max(count, 1))
      compute.divide(count) { _, range in for i in range { done[0, i] += 1 } }
      compute.each(count) { _, i in done[0, i] += 1 }
      compute.share(count, grain: 3) { _, range in for i in range { done[0, i] += 1 } }
      #expect(done.floats.allSatisfy { $0 == (count == 0 ? 0 : 3) })
    }
    for _ in 0..<1000 { compute.run { _ in } }
  }
}
