import Kernels
import Tensors

/// Keys and values of one sequence in one execution of a block.
struct CacheEntry: Sendable {
  let keys: Matrix  // [capacity, keyValueWidth], rotated
  let values: Matrix  // [capacity, keyValueWidth]
}

/// The caches that the rows of a step write to and read, in one execution of a block.
enum StepCache {
  /// All rows follow one another in one sequence.
  case run(CacheEntry)
  /// Each row has its own: rows of several sequences, a token of each.
  case each([CacheEntry])

  /// Rows to their places.
  func store(_ keys: Matrix, _ values: Matrix, at positions: [Int32], on compute: Compute) {
    func store(_ rows: Range<Int>, in entry: CacheEntry) {
      let start = Int(positions[rows.lowerBound])
      let places = start..<start + rows.count
      copy(entry.keys.rows(places), keys.rows(rows), on: compute)
      copy(entry.values.rows(places), values.rows(rows), on: compute)
    }
    switch self {
    case .run(let entry): store(0..<positions.count, in: entry)
    case .each(let entries):
      for (row, entry) in entries.enumerated() { store(row..<row + 1, in: entry) }
    }
  }
}

/// What a decoder keeps of one sequence.
struct SequenceCache {
  /// Tokens so far.
  var length = 0
  /// Of the random initial states.
  var seed: UInt64
  /// One for each execution of a block that keeps keys and values.
  private(set) var entries: [CacheEntry] = []
  private(set) var capacity = 0

  init(seed: UInt64) { self.seed = seed }

  /// Tokens that follow a prompt without a new cache: room that is not used takes no memory.
  private static let slack = 256

  /// Makes room for `count` tokens, doubling.
  ///
  /// - Parameters:
  ///   - limit: The most tokens of a sequence.
  ///   - entryCount: Executions that keep keys and values, the same in every call.
  ///   - width: Of a token's keys.
  mutating func grow(
    to count: Int, limit: Int, entryCount: Int, width: Int, on compute: Compute
  ) throws(MemoryError) {
    if count <= capacity { return }
    let newCapacity = min(limit, max(count + Self.slack, 2 * capacity))
    let known = 0..<length
    func grown(_ old: Matrix?) throws(MemoryError) -> Matrix {
      let new = try Matrix(rows: newCapacity, columns: width)
      if let old { copy(new.rows(known), old.rows(known), on: compute) }
      return new
    }
    for i in 0..<entryCount {
      let old = i < entries.count ? entries[i] : nil
      let entry = CacheEntry(keys: try grown(old?.keys), values: try grown(old?.values))
      if old == nil { entries.append(entry) } else { entries[i] = entry }
    }
    capacity = newCapacity
  }
}
