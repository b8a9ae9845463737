import ByteIO
import Tensors
import Testing

@testable import WeightWriting

@Suite("values that are not finite")
struct FiniteTests {
  /// Bit patterns of IEEE 754 and of the 8-bit types: the largest finite value, infinity, a NaN.
  private static let patterns: [(ElementType, finite: [UInt64], other: [UInt64])] = [
    (.f32, [0x7F7F_FFFF, 0xFF7F_FFFF, 1], [0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0xFF80_0001]),
    (.f16, [0x7BFF, 0xFBFF, 1], [0x7C00, 0xFC00, 0x7E00, 0xFC01]),
    (.bf16, [0x7F7F, 0xFF7F, 1], [0x7F80, 0xFF80, 0x7FC0, 0xFF81]),
    (.f64, [0x3FF0 << 48, 1], [0x7FF0 << 48, 0xFFF0 << 48, 0x7FF8 << 48, 0x7FE0 << 48]),
    (.f8E4M3, [0x7E, 0xFE, 1], [0x7F, 0xFF]),
    (.f8E5M2, [0x7B, 0xFB, 1], [0x7C, 0xFC, 0x7E]),
    (.i8, [0x7F, 0xFF], []),
  ]

  @Test("are found at every place among finite ones", arguments: patterns.indices)
  func found(index: Int) throws {
    let (type, finite, other) = Self.patterns[index]
    let width = type.bitWidth / 8
    func bytes(_ pattern: UInt64) -> [UInt8] {
      (0..<width).map { UInt8(truncatingIfNeeded: pattern >> (8 * $0)) }
    }
    for count in [1, 7, 37] {
      let clean = (0..<count).flatMap { bytes(finite[$0 % finite.count]) }
      #expect(try !type.hasNonFinite(clean.rawSpan))
      for pattern in other {
        for place in 0..<count {
          var damaged = clean
          damaged.replaceSubrange(place * width..<(place + 1) * width, with: bytes(pattern))
          #expect(try type.hasNonFinite(damaged.rawSpan), "\(type) \(pattern) at \(place)")
        }
      }
    }
    #expect(try !type.hasNonFinite([UInt8]().rawSpan))
  }
}
