import ByteIO
import Tensors

/// Numbers of which each belongs to a block of a weight: scales, or zero points.
///
/// A weight may be a stack of matrices, each with a grid of its own.
struct ScaleGrid: Sendable {
  let tensor: TensorName
  /// Rows and columns of the weight that share a number.
  let blockRows: Int
  let blockColumns: Int
  /// Rows of each matrix of the weight, and of its grid.
  let matrixRows: Int
  let gridRows: Int
  let columns: Int
  /// Whether the numbers are bare exponents, E8M0, in bytes of no such type.
  let isExponent: Bool

  /// - Parameters:
  ///   - block: Rows and columns that share a number; the last block may be smaller.
  ///   - shape: Shape of the weight.
  /// - Throws: `QuantisationError` when the tensor `record` has not a number for each block. One
  ///   number for all, or one for each row, may be stored without the dimensions of size 1.
  init(
    _ record: TensorRecord, block: (rows: Int, columns: Int), of shape: [Int], path: String,
    isExponent: Bool = false
  ) throws(QuantisationError) {
    let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    let grid = [
      rows / block.rows + (rows % block.rows == 0 ? 0 : 1),
      columns / block.columns + (columns % block.columns == 0 ? 0 : 1),
    ]
    let wanted = shape.dropLast(2) + grid
    let short = Array(wanted.reversed().drop { $0 == 1 }.reversed())
    guard record.shape == Array(wanted) || record.shape == short || record.shape == short + [1]
    else {
      throw QuantisationError(
        .wrongShape(record.shape, wanted: "\(Array(wanted))"), path: path, tensor: record.name)
    }
    tensor = record.name
    self.isExponent = isExponent
    blockRows = block.rows
    blockColumns = block.columns
    matrixRows = max(1, rows)
    gridRows = grid[0]
    self.columns = grid[1]
  }

  /// The row of all grids that has the numbers of row `row` of the weight.
  func row(_ row: Int) -> Int {
    row / matrixRows * gridRows + row % matrixRows / blockRows
  }

  /// The grids' rows that the weight's rows `rows` need: the first of them, and all numbers.
  func numbers(
    for rows: Range<Int>, from stored: StoredTensors
  ) throws -> (first: Int, values: [Float]) {
    guard !rows.isEmpty else { return (0, []) }
    let first = row(rows.lowerBound)
    let end = row(rows.upperBound - 1) + 1
    let range = first * columns..<end * columns
    guard isExponent else { return (first, try stored.floats(tensor, range)) }
    let bytes = try stored.bytes(tensor, range)
    var values = [Float](repeating: 0, count: range.count)
    var span = values.mutableSpan
    try decode(bytes.rawSpan, as: .f8E8M0, into: &span)
    return (first, values)
  }

  /// The same, each of which must be finite and not zero.
  func scales(
    for rows: Range<Int>, from stored: StoredTensors
  ) throws -> (first: Int, values: [Float]) {
    let found = try numbers(for: rows, from: stored)
    if let i = found.values.firstIndex(where: { !$0.isFinite || $0 == 0 }) {
      throw QuantisationError(
        .badScale(found.values[i], row: found.first + i / columns, column: i % columns),
        path: stored.path, tensor: tensor)
    }
    return found
  }
}
