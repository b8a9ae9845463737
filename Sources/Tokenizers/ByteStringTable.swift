/// A set of byte strings numbered in order of insertion, with a flat hash over their bytes.
struct ByteStringTable: Sendable {
  /// All strings, one after another.
  private var bytes: [UInt8] = []
  /// End of each string in `bytes`.
  private var ends: [Int] = []
  /// Upper hash half and number + 1 of a string; zero is free. The count is a power of two.
  private var slots: [UInt64]

  init(minimumCapacity: Int = 0) {
    var size = 16
    while size < minimumCapacity * 2 { size *= 2 }
    slots = [UInt64](repeating: 0, count: size)
    ends.reserveCapacity(minimumCapacity)
  }

  var count: Int { ends.count }

  func range(of index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }

  subscript(index: Int) -> Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get { bytes.span.extracting(range(of: index)) }
  }

  /// Number of `key`, or nil.
  func find(_ key: Span<UInt8>) -> Int? {
    let hash = Self.hash(key)
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] != 0 {
      if slots[slot] >> 32 == hash >> 32 {
        let index = Int(slots[slot] & 0xFFFF_FFFF) - 1
        if equals(index, key) { return index }
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// Adds `key`, which must not be in the table, and returns its number.
  @discardableResult
  mutating func insert(_ key: Span<UInt8>) -> Int {
    if (count + 1) * 2 > slots.count { grow() }
    for i in key.indices { bytes.append(key[i]) }
    ends.append(bytes.count)
    place(count, hash: Self.hash(key))
    return count - 1
  }

  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
    for i in slots.indices { slots[i] = 0 }
  }

  private func equals(_ index: Int, _ key: Span<UInt8>) -> Bool {
    let range = range(of: index)
    guard range.count == key.count else { return false }
    for i in key.indices where bytes[range.lowerBound + i] != key[i] { return false }
    return true
  }

  private mutating func place(_ entry: Int, hash: UInt64) {
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = (hash & ~0xFFFF_FFFF) | UInt64(entry)
  }

  private mutating func grow() {
    slots = [UInt64](repeating: 0, count: slots.count * 2)
    for i in ends.indices { place(i + 1, hash: Self.hash(self[i])) }
  }

  /// FNV-1a with a final mix, so that both halves are usable.
  private static func hash(_ key: Span<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for i in key.indices { hash = (hash ^ UInt64(key[i])) &* 0x100_0000_01B3 }
    hash ^= hash >> 29
    hash = hash &* 0xBF58_476D_1CE4_E5B9
    return hash ^ hash >> 32
  }
}
