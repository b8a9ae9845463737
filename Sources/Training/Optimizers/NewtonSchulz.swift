import Kernels
import Tensors

/// Brings the singular values of matrices near 1 by five steps of a quintic iteration.
///
/// X ← X·(aI + bA + cA²) with A = XᵀX, from X = G / ‖G‖; for wide matrices the mirrored form, so A
/// has the smaller extent n. The coefficients (Jordan et al., 2024) make small singular values grow
/// fastest and leave all of them between about 0.7 and 1.2: near an orthogonal matrix, not one.
///
/// In float32 the steps are taken on A, which is small, and meet X together: the polynomials P of A
/// commute, so A becomes A·P·P and X ends as X·P₀·P₁·…. Rounding in A grows some twelvefold a step, so
/// A is made anew from X after two of them. That halves the work of a square matrix in a product with
/// itself, and saves more the longer the matrix.
///
/// Rounding to bfloat16 would grow too far, so products with such operands make A anew at each step,
/// as PyTorch's Muon does. X and A are rounded before their step: terms that nearly cancel then meet
/// the same values.
struct NewtonSchulz {
  private static let a: Float = 3.4445
  private static let b: Float = -4.7750
  private static let c: Float = 2.0315
  /// Steps between two products with X.
  private static let phases = [2, 3]
  private static let epsilon = 1e-7

  private let other: Buffer  // as large as the largest matrix
  private let squares: [Buffer]  // four of [n, n]

  /// Room for matrices of the given shapes.
  init(shapes: [[Int]]) throws(MemoryError) {
    let edge = Self.edge(shapes)
    other = try Buffer(floats: shapes.map { $0.reduce(1, &*) }.max() ?? 0)
    var squares: [Buffer] = []
    for _ in 0..<4 { squares.append(try Buffer(floats: edge * edge)) }
    self.squares = squares
  }

  /// Floats of the room for matrices of the given shapes.
  static func floatCount(_ shapes: [[Int]]) -> Int {
    (shapes.map { $0.reduce(1, &*) }.max() ?? 0) + 4 * edge(shapes) * edge(shapes)
  }

  /// The largest of the smaller extents.
  private static func edge(_ shapes: [[Int]]) -> Int { shapes.map { $0.min() ?? 0 }.max() ?? 0 }

  /// Orthogonalises the `[rows, columns]` matrix at the start of `matrix`, in place.
  ///
  /// - Parameter sumOfSquares: Of the matrix's elements.
  func orthogonalise(
    _ matrix: Buffer, rows: Int, columns: Int, sumOfSquares: Double, on compute: Compute
  ) {
    let edge = min(rows, columns)
    let room = squares.map { Matrix($0, rows: edge, columns: edge) }
    let x = Matrix(matrix, rows: rows, columns: columns)
    let next = Matrix(other, rows: rows, columns: columns)
    let norm = Float(max(sumOfSquares.squareRoot(), Self.epsilon))
    switch compute.precision {
    case .float32: inPhases(x, next, norm: norm, room, on: compute)
    case .bf16: stepByStep(x, next, norm: norm, room, on: compute)
    }
  }

  /// A, `[n, n]`.
  private func gram(_ gram: Matrix, of x: Matrix, on compute: Compute) {
    if x.rows > x.columns {
      multiplySymmetric(gram, x.transposed, Operand(x), on: compute)
    } else {
      multiplySymmetric(gram, Operand(x), x.transposed, on: compute)
    }
  }

  /// - Parameter next: As large as `x`, to work in.
  private func stepByStep(
    _ matrix: Matrix, _ next: Matrix, norm: Float, _ room: [Matrix], on compute: Compute
  ) {
    let (gram, mixed) = (room[0], room[1])
    var (x, next) = (next, matrix)
    combine(x.run, matrix.run, matrix.run, a: 1 / norm, b: 0, on: compute)
    // An odd number of steps ends where it began.
    for _ in 0..<Self.phases.reduce(0, +) {
      roundToBfloat16(x.run, on: compute)
      self.gram(gram, of: x, on: compute)
      roundToBfloat16(gram.run, on: compute)
      multiplySymmetric(mixed, Operand(gram), Operand(gram), on: compute)
      combine(mixed.run, gram.run, mixed.run, a: Self.b, b: Self.c, on: compute)
      combine(next.run, x.run, x.run, a: Self.a, b: 0, on: compute)
      if x.rows > x.columns {
        multiply(next, Operand(x), Operand(mixed), adding: true, on: compute)
      } else {
        multiply(next, Operand(mixed), Operand(x), adding: true, on: compute)
      }
      swap(&x, &next)
    }
  }

  /// - Parameter next: As large as `x`, to work in.
  private func inPhases(
    _ matrix: Matrix, _ next: Matrix, norm: Float, _ room: [Matrix], on compute: Compute
  ) {
    var (x, next, norm) = (matrix, next, norm)
    let (rows, columns) = (x.rows, x.columns)
    for steps in Self.phases {
      let gram = room[0]
      self.gram(gram, of: x, on: compute)
      scale(gram.run, by: 1 / (norm * norm), on: compute)
      let factor = polynomials(of: gram, steps: steps, Array(room[1...]), on: compute)
      scale(factor.run, by: 1 / norm, on: compute)
      if rows > columns {
        multiply(next, x, factor, on: compute)
      } else {
        multiply(next, factor, x, on: compute)
      }
      swap(&x, &next)
      norm = 1
    }
  }

  /// The product P₀·P₁·… of `steps` steps from `gram`, which is overwritten.
  ///
  /// - Parameter room: Three matrices as large; one of them is the result.
  private func polynomials(
    of gram: Matrix, steps: Int, _ room: [Matrix], on compute: Compute
  ) -> Matrix {
    var (polynomial, product, spare) = (room[0], room[1], room[2])
    for step in 0..<steps {
      multiplySymmetric(polynomial, Operand(gram), Operand(gram), on: compute)
      combine(polynomial.run, gram.run, polynomial.run, a: Self.b, b: Self.c, on: compute)
      for i in 0..<gram.rows { polynomial[i, i] += Self.a }
      if step + 1 < steps {
        multiplySymmetric(spare, Operand(gram), Operand(polynomial), on: compute)
        multiplySymmetric(gram, Operand(spare), Operand(polynomial), on: compute)
      }
      if step == 0 {
        swap(&product, &polynomial)
      } else {
        multiplySymmetric(spare, Operand(product), Operand(polynomial), on: compute)
        swap(&product, &spare)
      }
    }
    return product
  }
}

extension Matrix {
  /// All floats of a contiguous matrix.
  fileprivate var run: FloatRun { FloatRun(buffer, at: offset, count: rows * columns) }
}
