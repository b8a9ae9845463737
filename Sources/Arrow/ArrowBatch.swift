import ByteIO
import Columns
import Compression

/// The nodes and buffers of a record batch, taken in the order of the schema's fields; AR-4, AR-5, AR-8.
struct ArrowBatch {
  private let region: ByteRegion
  private let body: Range<Int>
  private let codec: Codec?
  private let nodes: [[Int]]
  private let buffers: [[Int]]
  private let viewCounts: [[Int]]
  private var (node, buffer, view) = (0, 0, 0)
  private var allowance: Int
  private let wholeAllowance: Int

  static let freeValues = 1 << 22
  static let freeBufferBytes = 1 << 23
  static let bufferLimit = 1 << 32
  static let ratio = 256

  /// - Parameter share: Bytes that the batch may unfold to whatever its size.
  init(_ table: FlatTable, _ region: ByteRegion, _ body: Range<Int>, share: Int)
    throws(ArrowProblem)
  {
    self.region = region
    self.body = body
    nodes = try table.integers(1, width: 2)
    buffers = try table.integers(2, width: 2)
    viewCounts = try table.integers(4, width: 1)
    if let compression = try table.table(3) {
      let number = try compression.integer(0, Int8.self)
      guard let known = [0: Codec.lz4Frame, 1: .zstd][number] else { throw .codec(number) }
      codec = known
    } else {
      codec = nil
    }
    let (work, overflow) = body.count.multipliedReportingOverflow(by: Self.ratio)
    wholeAllowance = (overflow ? .max / 2 : work) + share
    allowance = wholeAllowance
  }

  /// All nodes and buffers must have been taken.
  func checkEnd() throws(ArrowProblem) {
    if node < nodes.count { throw .leftOver("nodes") }
    if buffer < buffers.count { throw .leftOver("buffers") }
  }

  mutating func charge(_ byteCount: Int) throws(ArrowProblem) {
    allowance -= byteCount
    guard allowance >= 0 else { throw .tooMuchWork(limit: wholeAllowance) }
  }

  /// The number of values of the next field.
  mutating func nextLength() throws(ArrowProblem) -> Int {
    guard node < nodes.count else { throw .missing("nodes") }
    let length = nodes[node][0]
    node += 1
    let limit = max(Self.freeValues, 8 * body.count)
    guard length >= 0, length <= limit else { throw .tooManyRows(length, limit: limit) }
    try charge(4 * length)
    return length
  }

  /// The number of data buffers of the next column of views.
  mutating func nextViewCount() throws(ArrowProblem) -> Int {
    guard view < viewCounts.count else { throw .missing("counts of buffers") }
    defer { view += 1 }
    let count = viewCounts[view][0]
    guard count >= 0, count <= buffers.count else { throw .missing("buffers") }
    return count
  }

  mutating func skipBuffers(_ count: Int) throws(ArrowProblem) {
    guard count <= buffers.count - buffer else { throw .missing("buffers") }
    buffer += count
  }

  /// The bytes of the next buffer, decompressed.
  mutating func nextBuffer() throws(ArrowProblem) -> [UInt8] {
    guard buffer < buffers.count else { throw .missing("buffers") }
    let (start, count) = (buffers[buffer][0], buffers[buffer][1])
    buffer += 1
    if count == 0 { return [] }
    guard start >= 0, count > 0, start <= body.count, count <= body.count - start else {
      throw .bufferRange(start: start, byteCount: count, limit: body.count)
    }
    guard count <= Self.bufferLimit else {
      throw .bufferTooLarge(byteCount: count, limit: Self.bufferLimit)
    }
    let first = body.lowerBound + start
    let stored: [UInt8]
    do { stored = try region.bytes(first..<first + count) } catch { throw .file(error) }
    guard let codec else {
      try charge(count)
      return stored
    }
    return try unpacked(stored, codec)
  }

  /// A compressed buffer begins with its size before compression; -1 says that it is not compressed.
  private mutating func unpacked(
    _ stored: [UInt8], _ codec: Codec
  ) throws(ArrowProblem) -> [UInt8] {
    guard stored.count >= 8 else { throw .bufferShort(column: "", stored.count, needed: 8) }
    let size = (0..<8).reversed().reduce(Int64(0)) { $0 << 8 | Int64(stored[$1]) }
    if size == -1 {
      try charge(stored.count)
      return Array(stored[8...])
    }
    let limit = max(
      Self.freeBufferBytes, min(Self.bufferLimit / Self.ratio, stored.count) * Self.ratio)
    guard size >= 0, size <= limit else {
      throw .bufferTooLarge(byteCount: Int(size), limit: limit)
    }
    try charge(Int(size))
    do throws(DecompressionError) {
      return try codec.decompress(
        stored.rawSpan.extracting(8..<stored.count), byteCount: Int(size))
    } catch {
      throw .decompression(error.description)
    }
  }
}
