/// Damaged copies of a valid file, the same for the same seed: for tests that a reader answers
/// every input with an error or the same meaning.
///
/// Usage: `for (seed, bytes) in Mutations(of: valid, count: 2000) { … }`.
package struct Mutations: Sequence, IteratorProtocol {
  private let original: [UInt8]
  private let last: UInt64
  private var seed: UInt64

  package init(of original: [UInt8], count: Int, firstSeed: UInt64 = 1) {
    self.original = original
    seed = firstSeed
    last = firstSeed + UInt64(count)
  }

  package mutating func next() -> (seed: UInt64, bytes: [UInt8])? {
    guard seed < last else { return nil }
    defer { seed += 1 }
    return (seed, Self.mutate(original, seed: seed))
  }

  /// The copy that belongs to `seed`: one to four changes.
  package static func mutate(_ original: [UInt8], seed: UInt64) -> [UInt8] {
    var random = SplitMix64(state: seed)
    var bytes = original
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      change(&bytes, using: &random)
    }
    return bytes
  }

  /// Numbers at which readers break: zero, signs, the ends of the integer types.
  private static let numbers: [UInt64] = [
    0, 1, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
    1 << 32, 1 << 62, 1 << 63, .max, .max - 7,
  ]

  private static func change(_ bytes: inout [UInt8], using random: inout SplitMix64) {
    // Formats keep what can go wrong near their start and their end.
    let count = bytes.count
    guard count > 0 else {
      bytes = [UInt8.random(in: 0...255, using: &random)]
      return
    }
    let at =
      switch Int.random(in: 0..<4, using: &random) {
      case 0: Int.random(in: 0..<Swift.min(count, 64), using: &random)
      case 1: Int.random(in: Swift.max(0, count - 64)..<count, using: &random)
      default: Int.random(in: 0..<count, using: &random)
      }
    let end = Swift.min(count, at + Int.random(in: 1...32, using: &random))
    switch Int.random(in: 0..<8, using: &random) {
    case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1: bytes[at] = UInt8.random(in: 0...255, using: &random)
    case 2: bytes.removeSubrange(at..<end)
    case 3: bytes.insert(contentsOf: Array(bytes[at..<end]), at: at)
    case 4: bytes.removeSubrange(at...)
    case 5: bytes.append(contentsOf: Array(bytes[at..<end]))
    case 6: bytes.swapAt(at, Int.random(in: 0..<count, using: &random))
    default:
      let number = numbers.randomElement(using: &random) ?? 0
      let width = [1, 2, 4, 8].randomElement(using: &random) ?? 8
      for i in 0..<width where at + i < count {
        bytes[at + i] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(i)))
      }
    }
  }
}

/// Steele, Lea and Flood's generator (OOPSLA 2014): a good stream from any seed.
package struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  package init(state: UInt64) { self.state = state }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
