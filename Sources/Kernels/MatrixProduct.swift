import CBLAS
import CKernels

/// `c = a · b`, or `c += a · b` when `adding`, in the precision of `compute`.
///
/// Each thread computes a part of `c`: OpenBLAS in float32, a kernel of our own with bf16 operands.
///
/// - Parameters:
///   - c: `[m, n]`.
///   - a: `[m, k]`, perhaps transposed; b: `[k, n]`, perhaps transposed.
package func multiply(
  _ c: Matrix, _ a: Operand, _ b: Operand, adding: Bool = false, on compute: Compute
) {
  precondition(a.rows == c.rows && b.columns == c.columns && a.columns == b.rows, "extents agree")
  if c.rows == 0 || c.columns == 0 { return }
  let (across, down) = grid(c.rows, c.columns, a.columns, compute.count)
  if across * down == 1 {
    return multiplyTile(
      c, a, b, rows: 0..<c.rows, columns: 0..<c.columns, adding, worker: 0, compute)
  }
  compute.run { worker in
    let rows = part(c.rows, worker / across, of: down, grain: kernelTile)
    let columns = part(c.columns, worker % across, of: across, grain: kernelTile)
    if rows.isEmpty || columns.isEmpty { return }
    multiplyTile(c, a, b, rows: rows, columns: columns, adding, worker: worker, compute)
  }
}

/// `c = a · b` with plain matrices.
package func multiply(
  _ c: Matrix, _ a: Matrix, _ b: Matrix, adding: Bool = false, on compute: Compute
) {
  multiply(c, Operand(a), Operand(b), adding: adding, on: compute)
}

/// `c = a · b` in the precision of `compute`, where `c` is known to be symmetric: about five eighths
/// of the work.
///
/// - Parameter c: `[n, n]`; computed on and below the diagonal, and mirrored.
package func multiplySymmetric(_ c: Matrix, _ a: Operand, _ b: Operand, on compute: Compute) {
  precondition(c.rows == c.columns, "a square result")
  precondition(a.rows == c.rows && b.columns == c.columns && a.columns == b.rows, "extents agree")
  // Strips of growing length, the longest first, so that the threads end together.
  let grain = 16
  let strips = max(4, 2 * compute.count)
  let height = max(grain, (c.rows + strips * grain - 1) / (strips * grain) * grain)
  let count = (c.rows + height - 1) / height
  compute.each(count) { worker, task in
    let rows = (count - 1 - task) * height..<min((count - task) * height, c.rows)
    multiplyTile(
      c, a, b, rows: rows, columns: 0..<rows.upperBound, false, worker: worker, compute)
  }
  compute.divide(c.rows, grain: grain) { _, rows in
    unsafe ck_mirror(c.pointer, c.stride, rows.lowerBound, rows.upperBound, c.rows)
  }
}

/// Where the kernels' own tiles end, and products are cut.
private let kernelTile = 16

/// Products below this many multiply-adds are not worth waking the other threads.
private let smallProduct = 1 << 16

/// How many tiles the threads make of an `m` by `n` result, so that they read least together.
private func grid(_ m: Int, _ n: Int, _ k: Int, _ threads: Int) -> (across: Int, down: Int) {
  if m * n * k < smallProduct { return (1, 1) }
  var best = (across: threads, down: 1)
  var least = Int.max
  for across in 1...threads where threads % across == 0 {
    let down = threads / across
    let read = m * across + n * down
    if read < least { (least, best) = (read, (across, down)) }
  }
  return best
}

private func multiplyTile(
  _ c: Matrix, _ a: Operand, _ b: Operand, rows: Range<Int>, columns: Range<Int>, _ adding: Bool,
  worker: Int, _ compute: Compute
) {
  let (a, b) = (a.rows(rows), b.columns(columns))
  let c = c.rows(rows).columns(columns)
  if compute.precision == .bf16 {
    unsafe ck_bf16_gemm(
      c.pointer, c.stride, a.matrix.pointer, a.rowStride, a.columnStride, b.matrix.pointer,
      b.rowStride, b.columnStride, c.rows, c.columns, a.columns, adding ? 1 : 0,
      compute.workspace(worker, floats: compute.precision.workspaceFloats))
    return
  }
  unsafe sgemm(
    c.pointer, c.stride, a.matrix.pointer, a.matrix.stride, a.isTransposed, b.matrix.pointer,
    b.matrix.stride, b.isTransposed, m: c.rows, n: c.columns, k: a.columns, adding: adding)
}

/// `w += scale · b · a` in float32, whatever the precision of `compute`: an adapted weight from its
/// factors.
///
/// - Parameters:
///   - w: `[out, in]`.
///   - b: `[out, rank]`.
///   - a: `[rank, in]`.
package func addLowRank(_ w: Matrix, _ b: Matrix, _ a: Matrix, scale: Float, on compute: Compute) {
  precondition(b.rows == w.rows && a.columns == w.columns && b.columns == a.rows, "extents agree")
  compute.divide(w.rows, grain: 16) { _, rows in
    unsafe sgemm(
      w.pointer(rows.lowerBound), w.stride, b.pointer(rows.lowerBound), b.stride, false, a.pointer,
      a.stride, false, m: rows.count, n: w.columns, k: a.rows, adding: true, scale: scale)
  }
}

/// One call of the library, on this thread: `c = a · b` or `c += a · b`, row-major; the product
/// times `scale`.
func sgemm(
  _ c: UnsafeMutablePointer<Float>, _ cStride: Int, _ a: UnsafePointer<Float>, _ aStride: Int,
  _ aIsTransposed: Bool, _ b: UnsafePointer<Float>, _ bStride: Int, _ bIsTransposed: Bool, m: Int,
  n: Int, k: Int, adding: Bool, scale: Float = 1
) {
  unsafe ck_sgemm(
    aIsTransposed ? 1 : 0, bIsTransposed ? 1 : 0, Int32(m), Int32(n), Int32(k), scale, a,
    Int32(aStride), b, Int32(bStride), adding ? 1 : 0, c, Int32(cStride))
}
