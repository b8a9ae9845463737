import ByteIO
import Testing

@Suite("byte reader")
struct ByteReaderTests {
  static let bytes = (1...16).map { UInt8($0) }

  @Test("reads little-endian integers one after another, at any alignment")
  func integers() throws {
    var reader = ByteReader(Self.bytes.rawSpan)
    #expect(try reader.read(UInt8.self) == 1)
    #expect(try reader.read(UInt16.self) == 0x0302)
    #expect(try reader.read(UInt64.self) == 0x0B0A_0908_0706_0504)
    #expect(try reader.read(Int32.self) == 0x0F0E_0D0C)
    #expect(reader.offset == 15 && reader.remaining == 1)
    var negative = ByteReader([0xFE, 0xFF].rawSpan)
    #expect(try negative.read(Int16.self) == -2)
  }

  @Test("a read past the end fails, and moves nothing")
  func truncated() throws {
    var reader = ByteReader(Self.bytes.rawSpan, at: 13)
    do {
      _ = try reader.read(UInt32.self)
      Issue.record("read past the end")
    } catch { #expect(error == Truncated(offset: 13, needed: 4, left: 3)) }
    for count in [4, -1, .max, .min] {
      do {
        _ = try reader.readBytes(count)
        Issue.record("read past the end")
      } catch { #expect(error == Truncated(offset: 13, needed: count, left: 3)) }
      do {
        try reader.skip(count)
        Issue.record("skipped past the end")
      } catch { #expect(error == Truncated(offset: 13, needed: count, left: 3)) }
    }
    #expect(try reader.readBytes(3) == [14, 15, 16])
    #expect(try reader.readBytes(0) == [])
  }

  @Test("seeks to any place up to the end")
  func seek() throws {
    var reader = ByteReader(Self.bytes.rawSpan)
    try reader.seek(to: 16)
    #expect(reader.remaining == 0)
    try reader.seek(to: 3)
    #expect(try reader.read(UInt8.self) == 4)
    for position in [17, -1] {
      do {
        try reader.seek(to: position)
        Issue.record("left the bytes")
      } catch { #expect(reader.offset == 4) }
    }
    let outside = ByteReader(Self.bytes.rawSpan, at: 99)
    #expect(outside.offset == 16)
  }
}

@Suite("SHA-256")
struct SHA256Tests {
  /// FIPS 180-4 examples, as published by NIST with its secure hashing standard.
  static let vectors = [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      String(repeating: "a", count: 1_000_000),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    ),
  ]

  @Test("agrees with the published examples, in one piece and in many", arguments: vectors)
  func examples(_ text: String, _ expected: String) {
    let bytes = Array(text.utf8)
    #expect(SHA256.digest(of: bytes).description == expected)
    var hash = SHA256()
    for start in stride(from: 0, to: bytes.count, by: 977) {
      hash.update(Array(bytes[start..<min(bytes.count, start + 977)]))
    }
    #expect(hash.finish() == Digest(hexadecimal: expected))
  }

  @Test("reads only sixty-four lower-case digits", arguments: ["", "ab", "BA7816BF"])
  func hexadecimal(_ text: String) {
    #expect(Digest(hexadecimal: text) == nil)
    #expect(Digest(hexadecimal: String(repeating: "A", count: 64)) == nil)
    #expect(Digest(hexadecimal: String(repeating: "0", count: 64))?.bytes.count == 32)
  }
}

@Suite("exact strings")
struct ExactStringTests {
  @Test("two spellings of é are two strings, in sets and in order")
  func spellings() {
    let (composed, decomposed): (ExactString, ExactString) = ("\u{E9}", "e\u{301}")
    #expect(composed.string == decomposed.string)
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed, composed]).count == 2)
    #expect([composed, "z", decomposed].sorted() == [decomposed, "z", composed])
  }
}
