import ByteIO

/// A way to compress a block of bytes whose size before compression is stated beside it.
package enum Codec: String, CaseIterable, Sendable {
  /// One or more gzip members (RFC 1952).
  case gzip
  /// One or more Zstandard frames (RFC 8878).
  case zstd
  /// A bare Snappy block, without the framing format.
  case snappy
  /// A bare LZ4 block, without the frame format.
  case lz4Block = "lz4 block"
  /// An LZ4 frame.
  case lz4Frame = "lz4 frame"
  /// Bare LZ4 blocks in the frames of Hadoop's codec, or one without.
  case lz4Hadoop = "lz4"
  /// A Brotli stream (RFC 7932).
  case brotli

  /// Decompresses `input`, which must give exactly `byteCount` bytes.
  ///
  /// No more than `byteCount` bytes are ever written, whatever the input says. The memory is not
  /// touched before it is written, so that a stated size alone costs nothing; check it all the same.
  package func decompress(
    _ input: RawSpan, byteCount: Int
  ) throws(DecompressionError) -> [UInt8] {
    precondition(byteCount >= 0, "a size is not negative")
    var made: Int?
    let bytes = [UInt8](capacity: byteCount) { output in
      made = decompress(input, into: &output)
      return made ?? 0
    }
    guard let made else { throw DecompressionError(codec: self, problem: .damaged) }
    guard made == byteCount else {
      throw DecompressionError(codec: self, problem: .size(expected: byteCount, found: made))
    }
    return bytes
  }

  /// Bytes written; nil when the input is damaged or makes more than fits.
  private func decompress(_ input: RawSpan, into output: inout MutableRawSpan) -> Int? {
    switch self {
    case .gzip: gunzip(input, into: &output)
    case .zstd: decompressZstd(input, into: &output)
    case .snappy: decompressSnappy(input, into: &output)
    case .lz4Block: decompressLZ4Block(input, into: &output)
    case .lz4Frame: decompressLZ4Frame(input, into: &output)
    case .lz4Hadoop: decompressHadoopLZ4(input, into: &output)
    case .brotli: decompressBrotli(input, into: &output)
    }
  }
}

/// Compressed bytes that do not give what they should.
package struct DecompressionError: Error, Equatable, CustomStringConvertible {
  package enum Problem: Equatable, Sendable {
    /// The bytes break the codec's rules, or make more than was stated.
    case damaged
    /// They make less than was stated.
    case size(expected: Int, found: Int)
  }

  package var codec: Codec
  package var problem: Problem

  package init(codec: Codec, problem: Problem) {
    self.codec = codec
    self.problem = problem
  }

  package var description: String {
    switch problem {
    case .damaged: "damaged \(codec.rawValue) data, or more of it than was stated"
    case .size(let expected, let found):
      "\(codec.rawValue) data of \(found) bytes, \(expected) were stated"
    }
  }
}
