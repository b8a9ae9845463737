/// Working memory of one `encode` call, so that nothing is allocated for a word.
struct EncodingScratch {
  var cache: WordCache
  /// Tokens of the word so far; -1 where one was merged away.
  var symbols: [Int32] = []
  var previous: [Int32] = []
  var next: [Int32] = []
  var queue = CandidateQueue()

  init(textByteCount: Int) { cache = WordCache(capacity: min(textByteCount / 8, 1 << 16)) }
}

/// Tokens of words met before.
struct WordCache {
  /// Longer words rarely come back.
  static let longestWord = 64

  private let capacity: Int
  private var words: ByteStringTable
  private var ids: [Int32] = []
  private var ends: [Int] = []

  init(capacity: Int) {
    self.capacity = max(1, capacity)
    words = ByteStringTable(minimumCapacity: self.capacity)
  }

  /// Appends the tokens of `word` to `output`, if they are known.
  func append(_ word: Span<UInt8>, to output: inout [Int32]) -> Bool {
    guard let index = words.find(word) else { return false }
    for i in (index == 0 ? 0 : ends[index - 1])..<ends[index] { output.append(ids[i]) }
    return true
  }

  /// Remembers the tokens that `output` holds from `start` on; forgets all when full.
  mutating func remember(_ word: Span<UInt8>, _ output: [Int32], from start: Int) {
    if words.count == capacity {
      words.removeAll()
      ids.removeAll(keepingCapacity: true)
      ends.removeAll(keepingCapacity: true)
    }
    words.insert(word)
    ids.append(contentsOf: output[start...])
    ends.append(ids.count)
  }
}

/// Merges that could be made, lowest rank first and leftmost first among equals: a binary heap.
struct CandidateQueue {
  /// Rank in the upper half, position in the lower.
  private var heap: [UInt64] = []

  mutating func removeAll() { heap.removeAll(keepingCapacity: true) }

  mutating func push(rank: UInt32, position: Int) {
    let value = UInt64(rank) << 32 | UInt64(position)
    var i = heap.count
    heap.append(value)
    while i > 0 {
      let parent = (i - 1) / 2
      if heap[parent] <= value { break }
      heap[i] = heap[parent]
      i = parent
    }
    heap[i] = value
  }

  mutating func pop() -> (rank: UInt32, position: Int)? {
    guard let top = heap.first else { return nil }
    let value = heap.removeLast()
    if !heap.isEmpty {
      var i = 0
      while true {
        var child = 2 * i + 1
        if child >= heap.count { break }
        if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
        if value <= heap[child] { break }
        heap[i] = heap[child]
        i = child
      }
      heap[i] = value
    }
    return (UInt32(top >> 32), Int(top & 0xFFFF_FFFF))
  }
}
