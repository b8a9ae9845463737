package import Archives
import ByteIO

/// Lines of a stream, without their ends (`\n`, `\r\n`).
package struct LineReader {
  private let stream: DecompressedStream
  private let limit: Int
  private var buffer: [UInt8] = []
  private var start = 0
  /// Number of the line given last, from 1.
  package private(set) var line = 0

  /// - Parameter limit: Bytes of the longest line that is read.
  package init(_ stream: DecompressedStream, limit: Int = 1 << 26) {
    self.stream = stream
    self.limit = limit
  }

  /// The next line, or nil at the end.
  ///
  /// - Throws: `DataError.lineTooLong`; what follows of that line is then skipped.
  package mutating func next() throws -> [UInt8]? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: 0x0A) {
        if line == 0 { skipMark() }
        line += 1
        defer { start = end + 1 }
        return Array(buffer[start..<(end > start && buffer[end - 1] == 0x0D ? end - 1 : end)])
      }
      searched = buffer.count
      if buffer.count - start > limit { try skipLine() }
      if start > 0 {
        buffer.removeFirst(start)
        searched -= start
        start = 0
      }
      if try !stream.read(1 << 16, into: &buffer) {
        if buffer.isEmpty { return nil }
        if line == 0 { skipMark() }
        line += 1
        defer { start = buffer.count }
        return start == 0 ? buffer : Array(buffer[start...])
      }
    }
  }

  /// Steps over a byte-order mark at the start of the file.
  private mutating func skipMark() {
    if buffer[start...].starts(with: [0xEF, 0xBB, 0xBF]) { start += 3 }
  }

  private mutating func skipLine() throws {
    line += 1
    while true {
      buffer.removeAll(keepingCapacity: true)
      start = 0
      guard try stream.read(1 << 16, into: &buffer) else { break }
      if let end = buffer.firstIndex(of: 0x0A) {
        start = end + 1
        break
      }
    }
    throw DataError(.lineTooLong(limit: limit), stream.path, line: line)
  }
}
