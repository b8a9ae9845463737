import CKernels

/// Some queries of one sequence, for the heads that share one key head: the unit of attention.
///
/// The heads' queries are stacked, `[group * T, headSize]`, so that one product serves them all.
struct AttentionTile {
  let shape: AttentionShape
  let visibility: Visibility
  let sequence: Int
  /// Key and value head.
  let head: Int
  let queries: Range<Int>
  /// Keys that some query of the tile sees.
  let keys: Range<Int>

  init(
    _ shape: AttentionShape, _ visibility: Visibility, sequence: Int, head: Int,
    queries: Range<Int>
  ) {
    self.shape = shape
    self.visibility = visibility
    self.sequence = sequence
    self.head = head
    self.queries = queries
    let first = queries.reduce(Int.max) { min($0, visibility.firstKey(sequence, $1)) }
    keys = first..<(visibility.past + queries.upperBound)
  }

  /// Queries a tile takes, so that its scores stay in the second cache.
  static func height(_ shape: AttentionShape, _ visibility: Visibility) -> Int {
    // A tile of a windowed layer has its own height's worth of keys beside the window.
    let keys = min(
      visibility.past + visibility.queries, visibility.window.map { $0 + 64 } ?? .max)
    return max(16, min(64, (1 << 17) / max(1, shape.group * keys) & ~15))
  }

  var rows: Int { queries.count * shape.group }
  /// Floats of one matrix of scores.
  var scoreCount: Int { rows * keys.count }
  /// Floats of one stack of vectors.
  var vectorCount: Int { rows * shape.headSize }
  /// Scratch of a forward pass: scores, queries, sums and their inverses, visible ranges.
  var floats: Int { scoreCount + vectorCount + 4 * rows }

  /// Row of the query matrices and column of the first head.
  private func place(_ query: Int) -> (row: Int, column: Int) {
    (sequence * visibility.queries + query, head * shape.group * shape.headSize)
  }

  /// The tile's vectors of `x`, head by head; strided there, contiguous in `stack`.
  func gather(_ stack: UnsafeMutablePointer<Float>, _ x: Matrix) {
    for (i, query) in queries.enumerated() {
      let (row, column) = place(query)
      for g in 0..<shape.group {
        let size = shape.headSize
        unsafe (stack + (g * queries.count + i) * size).update(
          from: x.pointer(row) + column + g * size, count: size)
      }
    }
  }

  func scatter(_ x: Matrix, _ stack: UnsafePointer<Float>) {
    for (i, query) in queries.enumerated() {
      let (row, column) = place(query)
      for g in 0..<shape.group {
        let size = shape.headSize
        unsafe (x.pointer(row) + column + g * size).update(
          from: stack + (g * queries.count + i) * size, count: size)
      }
    }
  }

  /// The same, each vector times its factor, `[group * T]`.
  private func scatter(
    _ x: Matrix, _ stack: UnsafePointer<Float>, times factors: UnsafePointer<Float>
  ) {
    let (row, column) = place(queries.lowerBound)
    let size = shape.headSize
    for g in 0..<shape.group {
      let start = g * queries.count
      unsafe ck_scale_rows(
        x.pointer(row) + column + g * size, x.stride, stack + start * size, size, factors + start,
        queries.count, size)
    }
  }

  /// Visible columns of each row of scores, counted from `keys.lowerBound`.
  func visible(_ first: UnsafeMutablePointer<Int32>, _ last: UnsafeMutablePointer<Int32>) {
    for (i, query) in queries.enumerated() {
      let start = visibility.firstKey(sequence, query) - keys.lowerBound
      let end = visibility.past + query + 1 - keys.lowerBound
      for g in 0..<shape.group {
        unsafe first[g * queries.count + i] = Int32(start)
        unsafe last[g * queries.count + i] = Int32(end)
      }
    }
  }

  /// The tile's keys or values (or their gradients), in place.
  func keyVectors(_ x: Matrix) -> UnsafeMutablePointer<Float> {
    unsafe x.pointer(sequence * visibility.keyRows + keys.lowerBound) + head * shape.headSize
  }

  /// Position of the tile's sums of head `g` in the saved sums.
  func sums(_ logSums: Matrix, _ g: Int) -> UnsafeMutablePointer<Float> {
    unsafe logSums.pointer(head * shape.group + g) + place(queries.lowerBound).row
  }

  func forward(
    _ y: Matrix, _ logSums: Matrix?, _ q: Matrix, _ k: Matrix, _ v: Matrix,
    workspace: UnsafeMutablePointer<Float>, _ precision: Precision
  ) {
    let product = unsafe TileProduct(precision, workspace: workspace + floats)
    let scores = unsafe workspace
    let stack = unsafe scores + scoreCount
    let sum = unsafe stack + vectorCount
    let inverse = unsafe sum + rows
    let first = unsafe UnsafeMutableRawPointer(inverse + rows).assumingMemoryBound(to: Int32.self)
    let last = unsafe first + rows
    unsafe gather(stack, q)
    unsafe visible(first, last)
    let size = shape.headSize
    unsafe product(
      scores, keys.count, stack, size, false, keyVectors(k), k.stride, true, m: rows, n: keys.count,
      k: size)
    if shape.softcap > 0 {
      unsafe ck_softcap_visible(
        scores, keys.count, first, last, rows, shape.scale, shape.softcap)
    }
    unsafe ck_exponentials(
      scores, keys.count, first, last, rows, keys.count, shape.softcap > 0 ? 1 : shape.scale,
      inverse, sum)
    unsafe product(
      stack, size, scores, keys.count, false, keyVectors(v), v.stride, false, m: rows, n: size,
      k: keys.count)
    // The division of the softmax, where there are fewest numbers to divide.
    unsafe scatter(y, stack, times: inverse)
    guard let logSums else { return }
    for g in 0..<shape.group {
      unsafe sums(logSums, g).update(from: sum + g * queries.count, count: queries.count)
    }
  }
}

/// A product within a tile, on one thread, in either precision: `c = a · b` or `c += a · b`.
@safe
struct TileProduct {
  /// Where operands in bf16 are packed; nil in float32.
  private let workspace: UnsafeMutablePointer<Float>?

  /// - Parameter workspace: Room for `precision.workspaceFloats`.
  init(_ precision: Precision, workspace: UnsafeMutablePointer<Float>) {
    unsafe self.workspace = precision == .bf16 ? workspace : nil
  }

  func callAsFunction(
    _ c: UnsafeMutablePointer<Float>, _ cStride: Int, _ a: UnsafePointer<Float>, _ aStride: Int,
    _ aIsTransposed: Bool, _ b: UnsafePointer<Float>, _ bStride: Int, _ bIsTransposed: Bool, m: Int,
    n: Int, k: Int, adding: Bool = false
  ) {
    guard let workspace = unsafe workspace else {
      return unsafe sgemm(
        c, cStride, a, aStride, aIsTransposed, b, bStride, bIsTransposed, m: m, n: n, k: k,
        adding: adding)
    }
    unsafe ck_bf16_gemm(
      c, cStride, a, aIsTransposed ? 1 : aStride, aIsTransposed ? aStride : 1, b,
      bIsTransposed ? 1 : bStride, bIsTransposed ? bStride : 1, m, n, k, adding ? 1 : 0, workspace)
  }
}
