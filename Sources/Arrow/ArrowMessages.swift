import ByteIO

/// The messages of a file or stream: where each one's body is; rule AR-1.
struct ArrowMessages {
  /// A batch of rows, or a dictionary.
  struct Batch: Sendable {
    /// Of the head, in the file.
    var position: Int
    var headSize: Int
    var body: Range<Int>
    /// nil for a batch of rows.
    var dictionary: (id: Int, isDelta: Bool)?
    var rowCount: Int
  }

  private(set) var fields: [ArrowField] = []
  /// In the order of the file.
  private(set) var batches: [Batch] = []

  static let headLimit = 1 << 26
  private let region: ByteRegion

  init(_ region: ByteRegion) throws(ArrowError) {
    self.region = region
    let mark = Array("ARROW1".utf8)
    let head = try region.arrowBytes(0..<min(8, region.byteCount))
    // A file is a stream after eight bytes, and a list of its batches that is not needed.
    let isFile = head.starts(with: mark)
    guard head.count == 8, isFile || head.starts(with: [0xFF, 0xFF, 0xFF, 0xFF]) else {
      throw ArrowError(.notArrow, region.path, at: 0)
    }
    var position = isFile ? 8 : 0
    var hasSchema = false
    while let (head, start) = try nextHead(&position) {
      do throws(ArrowProblem) {
        try read(head, at: start, &position, &hasSchema)
      } catch {
        throw ArrowError(error, region.path, at: region.start + start)
      }
    }
    guard hasSchema else { throw ArrowError(.noSchema, region.path, at: 0) }
  }

  /// The next message's head; nil at the end.
  private func nextHead(_ position: inout Int) throws(ArrowError) -> (bytes: [UInt8], start: Int)? {
    let left = region.byteCount - position
    // A stream may just stop.
    if left == 0 { return nil }
    guard left >= 8 else {
      throw ArrowError(.truncated(needed: 8, left: left), region.path, at: position)
    }
    let prefix = try region.arrowBytes(position..<position + 8)
    guard prefix.starts(with: [0xFF, 0xFF, 0xFF, 0xFF]) else {
      throw ArrowError(.notArrow, region.path, at: position)
    }
    let size = prefix.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    if size == 0 { return nil }
    guard size <= Self.headLimit else {
      throw ArrowError(
        .metadataTooLong(byteCount: size, limit: Self.headLimit), region.path, at: position)
    }
    guard size <= left - 8 else {
      throw ArrowError(.truncated(needed: size, left: left - 8), region.path, at: position)
    }
    let start = position + 8
    position = start + size
    return (try region.arrowBytes(start..<position), start)
  }

  private mutating func read(
    _ head: [UInt8], at start: Int, _ position: inout Int, _ hasSchema: inout Bool
  ) throws(ArrowProblem) {
    let message = try FlatTable(root: head)
    let version = try message.integer(0, Int16.self)
    guard version == 3 || version == 4 else { throw .version(version + 1) }
    let size = try message.integer(3, Int64.self)
    let left = region.byteCount - position
    guard size >= 0, size <= left else { throw .truncated(needed: size, left: left) }
    let body = position..<position + size
    position = body.upperBound
    guard let content = try message.table(2) else { throw .flatBuffer }
    var batch = Batch(position: start, headSize: head.count, body: body, rowCount: 0)
    switch try message.integer(1, UInt8.self) {
    case 1:
      guard !hasSchema else { throw .secondSchema }
      guard try content.integer(0, Int16.self) == 0 else { throw .bigEndian }
      for field in try content.tables(1) { fields.append(try ArrowField(field)) }
      hasSchema = true
      return
    case 2:
      batch.dictionary = (
        try content.integer(0, Int64.self), try content.integer(2, UInt8.self) != 0
      )
    case 3: batch.rowCount = try content.integer(0, Int64.self)
    default: return
    }
    guard hasSchema else { throw .noSchema }
    // AR-8: a row costs at least a bit.
    let limit = max(ArrowBatch.freeValues, 8 * size)
    guard batch.rowCount >= 0, batch.rowCount <= limit else {
      throw .tooManyRows(batch.rowCount, limit: limit)
    }
    batches.append(batch)
  }
}

extension ByteRegion {
  /// The bytes of `range`, a failure as this module's error.
  func arrowBytes(_ range: Range<Int>) throws(ArrowError) -> [UInt8] {
    do { return try bytes(range) } catch {
      throw ArrowError(.file(error), path, at: error.position)
    }
  }
}
