/// Which pairs of tokens merge, how early, and into what: a flat hash over pairs of ids.
struct MergeTable: Sendable {
  struct Merge: Equatable, Sendable {
    /// Lower ranks merge first.
    var rank: UInt32
    /// Token that the pair becomes.
    var id: Int32
  }

  private struct Slot: Sendable {
    var pair: UInt64
    var merge: Merge
  }

  private static let free = UInt64.max
  private var slots: [Slot]

  /// A table for at most `capacity` pairs.
  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = [Slot](
      repeating: Slot(pair: Self.free, merge: Merge(rank: 0, id: 0)), count: size)
  }

  /// The merge of two neighbours, or nil.
  @inline(__always)
  func find(_ left: Int32, _ right: Int32) -> Merge? {
    let slot = slots[position(of: Self.pair(left, right))]
    return slot.pair == Self.free ? nil : slot.merge
  }

  /// Sets the merge of a pair; a later one replaces an earlier one.
  mutating func set(_ left: Int32, _ right: Int32, _ merge: Merge) {
    let pair = Self.pair(left, right)
    slots[position(of: pair)] = Slot(pair: pair, merge: merge)
  }

  /// All merges, the earliest first.
  var ranked: [(left: Int32, right: Int32, id: Int32)] {
    slots.filter { $0.pair != Self.free }.sorted { $0.merge.rank < $1.merge.rank }.map {
      (
        Int32(truncatingIfNeeded: $0.pair >> 32), Int32(truncatingIfNeeded: $0.pair), $0.merge.id
      )
    }
  }

  private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private func position(of pair: UInt64) -> Int {
    let hash = pair &* 0x9E37_79B9_7F4A_7C15
    var slot = Int(truncatingIfNeeded: hash ^ hash >> 32) & (slots.count - 1)
    while slots[slot].pair != pair, slots[slot].pair != Self.free {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }
}
