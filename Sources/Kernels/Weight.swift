import CConversions
import CKernels
package import Tensors

/// A matrix of weights `[rows, columns]` in the type it is stored in.
package struct Weight: Sendable {
  /// The types that products read as they are.
  package enum Form: Sendable {
    case f32, f16, bf16
    /// ggml's Q8_0: blocks of 32 along a row share a scale.
    case q80

    /// Elements that are stored together; extents and places in a row are multiples of it.
    package var blockElements: Int { self == .q80 ? 32 : 1 }

    /// Bytes that so many elements take.
    package func byteCount(_ elements: Int) -> Int {
      switch self {
      case .f32: 4 * elements
      case .f16, .bf16: 2 * elements
      case .q80: elements / 32 * 34
      }
    }
  }

  package let buffer: Buffer
  /// Position of the first element, in elements.
  package let offset: Int
  package let rows: Int
  package let columns: Int
  /// Elements from row to row.
  package let stride: Int
  package let form: Form

  package init(
    _ buffer: Buffer, offset: Int = 0, rows: Int, columns: Int, stride: Int? = nil, form: Form
  ) {
    let stride = stride ?? columns
    let end = rows == 0 ? 0 : offset + (rows - 1) * stride + columns
    precondition(rows >= 0 && columns >= 0 && offset >= 0, "a weight's extents")
    precondition(
      [offset, columns, stride].allSatisfy { $0 % form.blockElements == 0 }, "whole blocks")
    precondition(form.byteCount(end) <= buffer.byteCount, "the weight lies in its buffer")
    self.buffer = buffer
    self.offset = offset
    self.rows = rows
    self.columns = columns
    self.stride = stride
    self.form = form
  }

  /// Float32 weights in place.
  package init(_ matrix: Matrix) {
    self.init(
      matrix.buffer, offset: matrix.offset, rows: matrix.rows, columns: matrix.columns,
      stride: matrix.stride, form: .f32)
  }

  /// The same weights rounded to blocks of 32 that share a scale; nil where a row is no whole number of
  /// blocks, or a value is too large for the scale's type.
  ///
  /// - Parameter matrix: In rows one after another.
  package init?(quantising matrix: Matrix) throws(MemoryError) {
    guard matrix.columns % 32 == 0, matrix.stride == matrix.columns else { return nil }
    let count = matrix.rows * matrix.columns
    let buffer = try Buffer(byteCount: Form.q80.byteCount(count))
    var top: Float = 0
    let lost = unsafe ck_quantise_q8_0(
      matrix.pointer, buffer.address.assumingMemoryBound(to: UInt8.self), count / 32, &top)
    guard lost == 0 else { return nil }
    self.init(buffer, rows: matrix.rows, columns: matrix.columns, form: .q80)
  }

  /// The weights as a matrix; nil unless they are float32.
  package var matrix: Matrix? {
    form == .f32
      ? Matrix(buffer, offset: offset, rows: rows, columns: columns, stride: stride) : nil
  }

  /// The weights of some outputs.
  package func rows(_ range: Range<Int>) -> Weight {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows of the weight")
    return Weight(
      buffer, offset: offset + range.lowerBound * stride, rows: range.count, columns: columns,
      stride: stride, form: form)
  }

  /// The weights of some inputs.
  package func columns(_ range: Range<Int>) -> Weight {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns, "columns of the weight")
    return Weight(
      buffer, offset: offset + range.lowerBound, rows: rows, columns: range.count, stride: stride,
      form: form)
  }

  /// Whether every weight is finite.
  package var isFinite: Bool {
    (0..<rows).allSatisfy { row in
      let start = unsafe address(row)
      return switch form {
      case .f32:
        unsafe ck_has_non_finite(start.assumingMemoryBound(to: Float.self), columns) == 0
      case .f16:
        unsafe ck_has_non_finite_16(start.assumingMemoryBound(to: UInt16.self), columns, 0x7C00)
          == 0
      case .bf16:
        unsafe ck_has_non_finite_16(start.assumingMemoryBound(to: UInt16.self), columns, 0x7F80)
          == 0
      case .q80: true  // `Weight(quantising:)` makes no other
      }
    }
  }

  // SAFETY: the initialiser has checked the extents; callers pass rows of this weight.
  private func address(_ row: Int) -> UnsafeRawPointer {
    unsafe UnsafeRawPointer(buffer.address) + form.byteCount(offset + row * stride)
  }

  /// Rows `range` as float32 into `target`, one after another.
  func decode(_ range: Range<Int>, into target: UnsafeMutablePointer<Float>) {
    if stride == columns {
      return unsafe decode(
        address(range.lowerBound), count: range.count * columns, into: target)
    }
    for (i, row) in range.enumerated() {
      unsafe decode(address(row), count: columns, into: target + i * columns)
    }
  }

  private func decode(
    _ start: UnsafeRawPointer, count: Int, into target: UnsafeMutablePointer<Float>
  ) {
    let bytes = unsafe start.assumingMemoryBound(to: UInt8.self)
    switch form {
    case .f32: unsafe ck_decode_f32(bytes, target, count)
    case .f16: unsafe ck_decode_f16(bytes, target, count)
    case .bf16: unsafe ck_decode_bf16(bytes, target, count)
    case .q80: unsafe ck_dequantise_q8_0(bytes, target, count / 32)
    }
  }

  /// `y[:, range] = x · w[range]ᵀ` for a few rows of x, reading the weights once. A row of y is the
  /// same bits whatever rows stand beside it.
  fileprivate func multiplyFew(_ y: Matrix, _ x: Matrix, _ range: Range<Int>, _ adding: Bool) {
    let w = unsafe address(range.lowerBound)
    let target = unsafe y.pointer + range.lowerBound
    switch form {
    case .f32:
      unsafe ck_gemv_f32(
        target, y.stride, w.assumingMemoryBound(to: Float.self), stride, x.pointer, x.stride,
        range.count,
        columns, x.rows, adding ? 1 : 0)
    case .f16:
      unsafe ck_gemv_f16(
        target, y.stride, w.assumingMemoryBound(to: UInt16.self), stride, x.pointer, x.stride,
        range.count,
        columns, x.rows, adding ? 1 : 0)
    case .bf16:
      unsafe ck_gemv_bf16(
        target, y.stride, w.assumingMemoryBound(to: UInt16.self), stride, x.pointer, x.stride,
        range.count,
        columns, x.rows, adding ? 1 : 0)
    case .q80:
      unsafe ck_gemv_q8_0(
        target, y.stride, w.assumingMemoryBound(to: UInt8.self), form.byteCount(stride),
        x.pointer, x.stride, range.count, columns, x.rows, adding ? 1 : 0)
    }
  }

  /// `y[:, range] = x · w[range]ᵀ`, a tile of the weights converted at a time.
  fileprivate func multiplyTiles(
    _ y: Matrix, _ x: Matrix, _ range: Range<Int>, _ adding: Bool, _ worker: Int, _ compute: Compute
  ) {
    let height = max(16, min(1024, (1 << 20) / max(columns, 1) & ~15))
    let packing = compute.precision.workspaceFloats
    let workspace = unsafe compute.workspace(worker, floats: packing + height * columns)
    let tile = unsafe workspace + packing
    let product = unsafe TileProduct(compute.precision, workspace: workspace)
    for start in Swift.stride(from: range.lowerBound, to: range.upperBound, by: height) {
      let rows = start..<min(start + height, range.upperBound)
      unsafe decode(rows, into: tile)
      unsafe product(
        y.pointer + start, y.stride, x.pointer, x.stride, false, tile, columns, true, m: x.rows,
        n: rows.count, k: columns, adding: adding)
    }
  }
}

/// Rows of x up to which each gets a result of its own, the same bits in any company: what is decoded
/// in a batch is what would be decoded alone.
package let independentRows = 64

/// With bf16 operands, rows up to which a product is bound by reading the weights.
let readBoundRows = 4

/// `y = x · wᵀ`, or `y += x · wᵀ` when `adding`: a linear layer over weights in their stored type.
///
/// A row's result does not depend on the others of up to `compute.fewRows` rows.
///
/// - Parameters:
///   - y: `[rows, out]`.
///   - x: `[rows, in]`.
///   - w: `[out, in]`.
package func linear(
  _ y: Matrix, _ x: Matrix, _ w: Weight, adding: Bool = false, on compute: Compute
) {
  precondition(y.rows == x.rows && x.columns == w.columns && y.columns == w.rows, "extents agree")
  if x.rows <= compute.fewRows {
    compute.share(w.rows, grain: 16) { _, range in w.multiplyFew(y, x, range, adding) }
  } else if let matrix = w.matrix {
    multiply(y, Operand(x), matrix.transposed, adding: adding, on: compute)
  } else {
    compute.divide(w.rows, grain: 16) { worker, range in
      w.multiplyTiles(y, x, range, adding, worker, compute)
    }
  }
}

/// Row `tokens[i]` of the table into row i of `y`.
///
/// - Parameters:
///   - tokens: Within the table.
package func embed(_ y: Matrix, tokens: [Int32], table: Weight, on compute: Compute) {
  precondition(y.rows == tokens.count && y.columns == table.columns, "extents agree")
  precondition(tokens.allSatisfy { $0 >= 0 && $0 < table.rows }, "tokens of the vocabulary")
  compute.divide(tokens.count) { _, rows in
    for row in rows {
      let token = Int(tokens[row])
      unsafe table.decode(token..<(token + 1), into: y.pointer(row))
    }
  }
}

/// Gradient of `embed`: adds row i of `dy` to row `tokens[i]` of `dTable`.
///
/// Each thread has columns of its own, so rows are added in the order of the tokens.
package func embedBackward(_ dTable: Matrix, _ dy: Matrix, tokens: [Int32], on compute: Compute) {
  precondition(dy.rows == tokens.count && dy.columns == dTable.columns, "extents agree")
  precondition(tokens.allSatisfy { $0 >= 0 && $0 < dTable.rows }, "tokens of the vocabulary")
  compute.divide(dy.columns, grain: 16) { _, columns in
    for row in 0..<dy.rows {
      unsafe ck_add(
        dTable.pointer(Int(tokens[row])) + columns.lowerBound, 0,
        dy.pointer(row) + columns.lowerBound, 0, 1, columns.count)
    }
  }
}
