import Tensors

/// A random order of 0..<count in which the place of any element is computed alone.
///
/// Four Feistel rounds over the next even number of bits, repeated until the result is below
/// `count`: no memory, and a resumed run needs only its position.
struct Permutation {
  let count: Int
  private let halfBits: UInt64
  private let random: RandomStream

  init(count: Int, seed: UInt64, stream: UInt64) {
    self.count = count
    let bits = UInt64(Int.bitWidth - max(count - 1, 1).leadingZeroBitCount)
    halfBits = (bits + 1) / 2
    random = RandomStream(seed: seed, stream: stream)
  }

  subscript(index: Int) -> Int {
    precondition(index >= 0 && index < count, "an index of the permutation")
    let mask: UInt64 = 1 << halfBits - 1
    var value = UInt64(index)
    repeat {
      var (left, right) = (value >> halfBits, value & mask)
      for round: UInt64 in 0..<4 {
        (left, right) = (right, left ^ (random[right << 2 | round] & mask))
      }
      value = left << halfBits | right
    } while value >= UInt64(count)
    return Int(value)
  }
}
