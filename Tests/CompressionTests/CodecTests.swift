import ByteIO
import Foundation
import TestSupport
import Testing

@testable import Compression

/// Blocks of one text, made by the reference implementations: see Scripts/make_compression_fixtures.py.
private func block(_ codec: Codec) throws -> [UInt8] {
  let name = codec.rawValue.replacing(" ", with: "-")
  return Array(try Data(contentsOf: URL(filePath: Fixtures.path("compression/\(name).bin"))))
}

/// The text that the blocks hold.
private let text: [UInt8] = (0..<400).flatMap { Array("\($0) times \($0 % 7)\n".utf8) }

extension Codec {
  fileprivate func unpack(_ bytes: [UInt8], _ count: Int) throws -> [UInt8] {
    try decompress(bytes.rawSpan, byteCount: count)
  }
}

@Suite("compression")
struct CodecTests {
  @Test("a block gives its text", arguments: Codec.allCases)
  func decompresses(_ codec: Codec) throws {
    let bytes = try codec.unpack(block(codec), text.count)
    #expect(bytes == text)
  }

  @Test("no more than the stated size is made, and no less", arguments: Codec.allCases)
  func sizes(_ codec: Codec) throws {
    let input = try block(codec)
    #expect(throws: DecompressionError.self) {
      try codec.unpack(input, text.count - 1)
    }
    #expect(throws: DecompressionError.self) {
      try codec.unpack(input, text.count + 1)
    }
    #expect(throws: DecompressionError.self) { try codec.unpack(input, 0) }
  }

  @Test("a block that ends early, and no block at all", arguments: Codec.allCases)
  func truncated(_ codec: Codec) throws {
    let input = try block(codec)
    for count in [0, 1, 7, input.count / 2, input.count - 1] {
      #expect(throws: DecompressionError.self) {
        try codec.unpack(Array(input[..<count]), text.count)
      }
    }
  }

  @Test("damaged blocks give an error or as many bytes as stated", arguments: Codec.allCases)
  func mutations(_ codec: Codec) throws {
    var refused = 0
    for (seed, bytes) in Mutations(of: try block(codec), count: 2000) {
      guard let made = try? codec.unpack(bytes, text.count) else {
        refused += 1
        continue
      }
      #expect(made.count == text.count, "seed \(seed)")
    }
    #expect(refused > 500)
  }

  @Test("members of a gzip file one after another")
  func members() throws {
    let input = try block(.gzip)
    let bytes = try Codec.gzip.unpack(input + input, 2 * text.count)
    #expect(bytes == text + text)
  }
}
