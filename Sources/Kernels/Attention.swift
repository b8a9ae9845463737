import CKernels

/// Extents of grouped-query attention.
package struct AttentionShape: Equatable, Sendable {
  package let heads: Int
  package let keyValueHeads: Int
  package let headSize: Int
  /// Factor on the product of a query and a key.
  package let scale: Float
  /// Scores become `softcap · tanh(score / softcap)`; 0 leaves them.
  package let softcap: Float

  /// - Parameter scale: Nil takes 1/√headSize.
  package init(
    heads: Int, keyValueHeads: Int, headSize: Int, scale: Float? = nil, softcap: Float = 0
  ) {
    precondition(keyValueHeads > 0 && heads % keyValueHeads == 0, "query heads share evenly")
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headSize = headSize
    self.scale = scale ?? 1 / Float(headSize).squareRoot()
    self.softcap = softcap
  }

  /// Query heads that share one key and value head.
  package var group: Int { heads / keyValueHeads }
}

/// Which keys each query sees: those from `first` on up to its own position, in its own sequence, and
/// of these the last `window`.
///
/// Packed documents and padding on the left are both said by `first`; padding on the right is
/// hidden by causality.
package struct Visibility: Sendable {
  /// Sequences in the batch, B.
  package let sequences: Int
  /// Queries of each sequence, T, at positions past ..< past + T.
  package let queries: Int
  /// Keys before the first query; they are in the cache.
  package let past: Int
  /// Rows of the key matrix that belong to one sequence, at least past + T.
  package let keyRows: Int
  /// Position of the first key that query t of sequence b sees, `[B * T]`; nil means 0 for all.
  package let first: [Int32]?
  /// Keys that a query sees at most, its own among them; nil for all.
  package var window: Int?

  package init(
    sequences: Int, queries: Int, past: Int = 0, keyRows: Int? = nil, first: [Int32]? = nil,
    window: Int? = nil
  ) {
    self.sequences = sequences
    self.queries = queries
    self.past = past
    self.keyRows = keyRows ?? past + queries
    self.first = first
    self.window = window
    precondition(window ?? 1 > 0, "a query sees its own key")
    precondition(past >= 0 && self.keyRows >= past + queries, "room for every key")
    precondition(first.map { $0.count == sequences * queries } ?? true, "a first key per query")
  }

  package var rows: Int { sequences * queries }

  /// Position of query `t` of sequence `b` in its document; padding before it does not count.
  package func position(_ b: Int, _ t: Int) -> Int {
    max(0, past + t - (first.map { Int($0[b * queries + t]) } ?? 0))
  }

  /// First key that query `t` of sequence `b` sees; at most its own position.
  func firstKey(_ b: Int, _ t: Int) -> Int {
    let start = window.map { max(0, past + t + 1 - $0) } ?? 0
    guard let first else { return start }
    return min(max(start, Int(first[b * queries + t])), past + t)
  }
}

/// Causal attention of all heads: `y = softmax(scale · q kᵀ) v`, the scores capped where the shape
/// says so.
///
/// A tile of queries meets all its keys at once, so memory grows with the sequence, not its square.
///
/// - Parameters:
///   - y: `[B * T, heads * headSize]`, overwritten.
///   - logSums: `[heads, B * T]`, overwritten with the logarithm of each softmax's sum for the
///     backward pass; nil when there is none.
///   - q: As `y`, rotated.
///   - k, v: `[B * keyRows, keyValueHeads * headSize]`, rotated keys.
package func attention(
  _ y: Matrix, logSums: Matrix?, q: Matrix, k: Matrix, v: Matrix, _ shape: AttentionShape,
  _ visibility: Visibility, on compute: Compute
) {
  check(y, q, k, v, shape, visibility)
  if visibility.queries == 1, logSums == nil {
    let seen = (0..<visibility.sequences).map { b in
      let rows = b * visibility.keyRows..<(b + 1) * visibility.keyRows
      return SeenKeys(
        k.rows(rows), v.rows(rows), visible: visibility.firstKey(b, 0)..<visibility.past + 1)
    }
    return attendEach(y, q: q, seen, shape, on: compute)
  }
  let height = AttentionTile.height(shape, visibility)
  let tiles = (visibility.queries + height - 1) / height
  // The last tile has the most keys; it goes first, so that the threads end together.
  compute.each(visibility.sequences * shape.keyValueHeads * tiles) { worker, task in
    let (pair, tile) = task.quotientAndRemainder(dividingBy: tiles)
    let start = (tiles - 1 - tile) * height
    let part = AttentionTile(
      shape, visibility, sequence: pair / shape.keyValueHeads, head: pair % shape.keyValueHeads,
      queries: start..<min(start + height, visibility.queries))
    let floats = part.floats + compute.precision.workspaceFloats
    unsafe part.forward(
      y, logSums, q, k, v, workspace: compute.workspace(worker, floats: floats), compute.precision)
  }
}

/// The keys and values that one query sees, itself among them.
package struct SeenKeys {
  let keys: Matrix  // [rows, keyValueHeads * headSize], rotated
  let values: Matrix  // [rows, keyValueHeads * headSize]
  let visible: Range<Int>

  init(_ keys: Matrix, _ values: Matrix, visible: Range<Int>) {
    precondition(visible.lowerBound >= 0 && visible.upperBound <= keys.rows, "keys of the cache")
    precondition(values.rows == keys.rows && values.columns == keys.columns, "a value for each")
    self.keys = keys
    self.values = values
    self.visible = visible
  }

  /// What the query at `position` sees of its sequence: the last `window` keys, or all.
  package init(_ keys: Matrix, _ values: Matrix, position: Int, window: Int?) {
    let first = window.map { max(0, position + 1 - $0) } ?? 0
    self.init(keys, values, visible: first..<position + 1)
  }
}

/// Attention of single queries, each over keys and values of its own: bound by reading the cache.
///
/// - Parameters:
///   - y: `[rows, heads * headSize]`, overwritten.
///   - q: As `y`, rotated.
///   - seen: Of each row; sequences, or positions of one, have different lengths.
package func attendEach(
  _ y: Matrix, q: Matrix, _ seen: [SeenKeys], _ shape: AttentionShape, on compute: Compute
) {
  precondition(y.rows == seen.count && q.rows == y.rows, "a query for each row")
  precondition(q.columns == shape.heads * shape.headSize && y.columns == q.columns, "query width")
  precondition(
    seen.allSatisfy { $0.keys.columns == shape.keyValueHeads * shape.headSize }, "key width")
  compute.each(seen.count * shape.keyValueHeads) { worker, task in
    let (row, head) = task.quotientAndRemainder(dividingBy: shape.keyValueHeads)
    let own = seen[row]
    let end = own.visible.upperBound
    let column = head * shape.headSize
    unsafe ck_attend(
      y.pointer(row) + column * shape.group, q.pointer(row) + column * shape.group,
      own.keys.pointer + column, own.values.pointer + column, own.keys.stride, own.values.stride,
      shape.group, shape.headSize, own.visible.lowerBound, end, shape.scale, shape.softcap,
      compute.workspace(worker, floats: shape.group * end))
  }
}

func check(
  _ y: Matrix, _ q: Matrix, _ k: Matrix, _ v: Matrix, _ shape: AttentionShape,
  _ visibility: Visibility
) {
  precondition(y.rows == visibility.rows && q.rows == y.rows, "a row for each query")
  precondition(q.columns == shape.heads * shape.headSize && y.columns == q.columns, "query width")
  precondition(k.columns == shape.keyValueHeads * shape.headSize, "key width")
  precondition(v.columns == k.columns && v.rows == k.rows, "keys and values agree")
  precondition(k.rows >= visibility.sequences * visibility.keyRows, "a row for each key")
}
