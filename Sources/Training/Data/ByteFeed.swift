import Archives

/// The bytes of a file one at a time, decompressed, without a byte-order mark.
struct ByteFeed {
  private let stream: DecompressedStream
  private var buffer: [UInt8] = []
  private var position = 0
  /// Bytes given so far.
  private(set) var count = 0

  init(_ path: String) throws {
    stream = try DecompressedStream(path)
    while buffer.count < 3, try stream.read(1 << 16, into: &buffer) {}
    if buffer.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  /// The next byte; nil at the end.
  mutating func next() throws -> UInt8? {
    if position == buffer.count {
      buffer.removeAll(keepingCapacity: true)
      position = 0
      guard try stream.read(1 << 16, into: &buffer), !buffer.isEmpty else { return nil }
    }
    defer {
      position += 1
      count += 1
    }
    return buffer[position]
  }
}
