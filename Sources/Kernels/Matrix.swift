package import Tensors

/// A view of row-major floats in a buffer: `rows` times `columns`, `stride` floats from row to row.
///
/// Kernels write through views. Two views of the same floats alias; callers keep apart what one
/// kernel reads and another writes.
@safe
package struct Matrix: Sendable {
  package let buffer: Buffer
  package let offset: Int
  package let rows: Int
  package let columns: Int
  package let stride: Int

  package init(_ buffer: Buffer, offset: Int = 0, rows: Int, columns: Int, stride: Int? = nil) {
    let stride = stride ?? columns
    precondition(
      rows >= 0 && columns >= 0 && stride >= columns && offset >= 0, "a matrix's extents")
    let end = rows == 0 ? 0 : offset + (rows - 1) * stride + columns
    precondition(end <= buffer.floatCount, "the matrix lies within its buffer")
    self.buffer = buffer
    self.offset = offset
    self.rows = rows
    self.columns = columns
    self.stride = stride
  }

  /// A matrix of zeros in memory of its own.
  package init(rows: Int, columns: Int) throws(MemoryError) {
    self.init(try Buffer(floats: rows * columns), rows: rows, columns: columns)
  }

  package func rows(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows of the matrix")
    return Matrix(
      buffer, offset: offset + range.lowerBound * stride, rows: range.count, columns: columns,
      stride: stride)
  }

  package func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns, "columns of the matrix")
    return Matrix(
      buffer, offset: offset + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }

  /// As the right or left operand of a product, its transpose.
  package var transposed: Operand { Operand(self, isTransposed: true) }

  package var isContiguous: Bool { stride == columns || rows <= 1 }

  /// Row `index`, copied.
  package func row(_ index: Int) -> [Float] {
    precondition(index >= 0 && index < rows, "a row of the matrix")
    return buffer.floats((offset + index * stride)..<(offset + index * stride + columns))
  }

  /// Row `index`, borrowed.
  package func withRow<R>(_ index: Int, _ body: (Span<Float>) -> R) -> R {
    precondition(index >= 0 && index < rows, "a row of the matrix")
    return buffer.withFloats((offset + index * stride)..<(offset + index * stride + columns), body)
  }

  /// All elements, row by row, copied.
  package var floats: [Float] { (0..<rows).flatMap(row) }

  package subscript(row: Int, column: Int) -> Float {
    get { buffer[offset + row * stride + column] }
    nonmutating set { buffer[offset + row * stride + column] = newValue }
  }

  /// Overwrites all elements with `values`, row by row.
  package func assign(_ values: some Collection<Float>) {
    precondition(values.count == rows * columns, "a value for each element")
    var iterator = values.makeIterator()
    for row in 0..<rows {
      for column in 0..<columns { self[row, column] = iterator.next() ?? 0 }
    }
  }

  // SAFETY: the initialiser has checked that all rows lie within the buffer, which `self` keeps.
  var pointer: UnsafeMutablePointer<Float> {
    unsafe buffer.address.assumingMemoryBound(to: Float.self) + offset
  }

  func pointer(_ row: Int) -> UnsafeMutablePointer<Float> { unsafe pointer + row * stride }
}

/// A matrix as it stands in a product.
package struct Operand: Sendable {
  let matrix: Matrix
  let isTransposed: Bool

  package init(_ matrix: Matrix, isTransposed: Bool = false) {
    self.matrix = matrix
    self.isTransposed = isTransposed
  }

  var rows: Int { isTransposed ? matrix.columns : matrix.rows }
  var columns: Int { isTransposed ? matrix.rows : matrix.columns }
  func rows(_ range: Range<Int>) -> Operand {
    isTransposed ? matrix.columns(range).transposed : Operand(matrix.rows(range))
  }

  func columns(_ range: Range<Int>) -> Operand {
    isTransposed ? matrix.rows(range).transposed : Operand(matrix.columns(range))
  }

  var rowStride: Int { isTransposed ? 1 : matrix.stride }
  var columnStride: Int { isTransposed ? matrix.stride : 1 }
}
