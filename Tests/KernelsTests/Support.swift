import Kernels
import Tensors

/// A matrix of seeded values in [-1, 1).
func random(_ rows: Int, _ columns: Int, seed: UInt64, stride: Int? = nil) throws -> Matrix {
  let buffer = try Buffer(floats: rows * (stride ?? columns))
  let matrix = Matrix(buffer, rows: rows, columns: columns, stride: stride)
  let stream = RandomStream(seed: seed)
  matrix.assign((0..<rows * columns).map { stream.symmetric(at: UInt64($0)) })
  return matrix
}

/// Rows of Doubles.
typealias Rows = [[Double]]

extension Matrix {
  var doubles: Rows { (0..<rows).map { row($0).map(Double.init) } }
}

/// Norm of the difference over norm of the reference.
func relativeError(_ got: Matrix, _ want: Rows) -> Double {
  let (a, b) = (got.floats.map(Double.init), want.flatMap(\.self))
  guard a.count == b.count else { return .infinity }
  let difference = zip(a, b).reduce(0.0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  let norm = b.reduce(0.0) { $0 + $1 * $1 }
  return (difference / max(norm, 1e-300)).squareRoot()
}

/// Gradient of Σ w·f(x) by central differences.
func numericGradient(_ x: Rows, _ w: Rows, _ f: (Rows) -> Rows) -> Rows {
  func value(_ x: Rows) -> Double {
    zip(f(x), w).reduce(0.0) { $0 + zip($1.0, $1.1).reduce(0.0) { $0 + $1.0 * $1.1 } }
  }
  let step = 1e-5
  var x = x
  return x.indices.map { r in
    x[r].indices.map { c in
      let centre = x[r][c]
      x[r][c] = centre + step
      let above = value(x)
      x[r][c] = centre - step
      let below = value(x)
      x[r][c] = centre
      return (above - below) / (2 * step)
    }
  }
}
