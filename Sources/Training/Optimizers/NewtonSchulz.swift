import Kernels
import Tensors

/// Brings the singular values of matrices near 1 by five steps of a quintic iteration.
///
/// X ← (aI + bA + cA²)X with A = XXᵀ, from X = G / ‖G‖; for tall matrices the mirrored form, so A
/// has the smaller extent. The coefficients (Jordan et al., 2024) make small singular values grow
/// fastest and leave all of them between about 0.7 and 1.2: near an orthogonal matrix, not one.
struct NewtonSchulz {
  private static let a: Float = 3.4445
  private static let b: Float = -4.7750
  private static let c: Float = 2.0315
  private static let stepCount = 5
  private static let epsilon = 1e-7

  private let other: Buffer  // as large as the largest matrix
  private let gram: Buffer  // the square of its smaller extent
  private let square: Buffer

  /// Room for matrices of the given shapes.
  init(shapes: [[Int]]) throws(MemoryError) {
    let edge = shapes.map { $0.min() ?? 0 }.max() ?? 0
    other = try Buffer(floats: shapes.map { $0.reduce(1, &*) }.max() ?? 0)
    gram = try Buffer(floats: edge * edge)
    square = try Buffer(floats: edge * edge)
  }

  /// Orthogonalises the `[rows, columns]` matrix at the start of `matrix`, in place.
  ///
  /// - Parameter sumOfSquares: Of the matrix's elements.
  func orthogonalise(
    _ matrix: Buffer, rows: Int, columns: Int, sumOfSquares: Double, on workers: Workers
  ) {
    let count = rows * columns
    let edge = min(rows, columns)
    let gram = Matrix(gram, rows: edge, columns: edge)
    let square = Matrix(square, rows: edge, columns: edge)
    let gramRun = FloatRun(gram.buffer, at: 0, count: edge * edge)
    let squareRun = FloatRun(square.buffer, at: 0, count: edge * edge)
    let norm = max(sumOfSquares.squareRoot(), Self.epsilon)
    scale(FloatRun(matrix, at: 0, count: count), by: Float(1 / norm), on: workers)
    var x = Matrix(matrix, rows: rows, columns: columns)
    var next = Matrix(other, rows: rows, columns: columns)
    for _ in 0..<Self.stepCount {
      if rows > columns {
        multiply(gram, x.transposed, Operand(x), on: workers)
      } else {
        multiply(gram, Operand(x), x.transposed, on: workers)
      }
      multiply(square, gram, gram, on: workers)
      combine(gramRun, gramRun, squareRun, a: Self.b, b: Self.c, on: workers)
      for i in 0..<edge { gram[i, i] += Self.a }
      if rows > columns {
        multiply(next, x, gram, on: workers)
      } else {
        multiply(next, gram, x, on: workers)
      }
      swap(&x, &next)
    }
    // An odd number of steps ends in the other buffer.
    let result = FloatRun(x.buffer, at: 0, count: count)
    combine(FloatRun(matrix, at: 0, count: count), result, result, a: 1, b: 0, on: workers)
  }
}
