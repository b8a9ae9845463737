import ByteIO
import Tensors
import Testing

@Suite("two digests in one pass")
struct SHA256PairTests {
  /// FIPS 180-4's example of two blocks, and its digest.
  static let text = Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)
  static let published = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"

  @Test("agree with the published example, as part and as whole")
  func example() {
    var pair = SHA256Pair()
    pair.update(Self.text.rawSpan)
    #expect(pair.finishPart().description == Self.published)
    #expect(pair.finish().description == Self.published)
  }

  @Test(
    "are those of one digest after another, at block borders and beside them",
    arguments: [0, 64, 128, 37],
    [[64], [128, 64], [1, 63, 64], [1000, 24], [0], [4096, 5, 4096]])
  func parts(header: Int, sizes: [Int]) {
    let random = RandomStream(seed: 1)
    let bytes = (0..<UInt64(header + 3 * sizes.reduce(0, +))).map {
      UInt8(truncatingIfNeeded: random[$0])
    }
    var pair = SHA256Pair()
    pair.updateWhole(Array(bytes[..<header]).rawSpan)
    var position = header
    for _ in 0..<3 {
      let start = position
      for size in sizes {
        pair.update(Array(bytes[position..<position + size]).rawSpan)
        position += size
      }
      #expect(pair.finishPart() == SHA256.digest(of: Array(bytes[start..<position])))
    }
    #expect(pair.finish() == SHA256.digest(of: bytes))
  }
}
