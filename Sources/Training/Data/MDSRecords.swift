import Archives
import ByteIO
import JSON

/// The samples of a shard that MosaicML's streaming wrote (MDS, version 2).
///
/// Integers are little-endian. The shard: the count n of samples, u32; n + 1 positions in the file, u32, the
/// last its end; a JSON object that names the columns; the samples. A sample: for each column whose values
/// differ in size, its size, u32; then the values in the columns' order.
struct MDSRecords: RecordSource {
  private let path: String
  private let shard: ByteRegion
  private let columns: [MDSColumn]
  private let count: Int
  private var index = 0

  /// Bytes of the largest shard that is decompressed, and of the largest sample.
  private static let limit = 1 << 30

  /// Whether bytes begin as a shard does; where its table does not end among them, the name must say so.
  static func isShard(_ head: [UInt8], named: Bool) -> Bool {
    guard let count = number(head, 0), count > 0, let first = number(head, 4),
      let second = number(head, 8), first < second, first > 8 + 4 * count
    else { return false }
    let config = 8 + 4 * count
    guard config < head.count else { return named }
    return head[config] == UInt8(ascii: "{")
      && head[config...].prefix(first - config).contains(Array("column_encodings".utf8))
  }

  init(_ path: String) throws {
    self.path = path
    var shard = try ByteRegion(path: path)
    if try !Self.isShard(shard.bytes(0..<min(shard.byteCount, 1 << 16)), named: true) {
      var bytes: [UInt8] = []
      try DecompressedStream(path).readRest(into: &bytes, limit: Self.limit)
      shard = ByteRegion(bytes, path: path)
    }
    self.shard = shard
    let size = shard.byteCount
    count = size >= 12 ? try Self.number(shard.bytes(0..<4), 0) ?? 0 : 0
    guard count > 0, count <= (size - 8) / 4 else {
      throw DataError(.badDescription("\(count) samples do not fit \(size) bytes"), path, at: 0)
    }
    let config = 8 + 4 * count
    let start = try Self.number(shard.bytes(4..<8), 0) ?? 0
    guard start > config, start <= size, start - config <= 1 << 20 else {
      throw DataError(
        .badDescription("the samples begin at byte \(start), the columns at \(config)"), path, at: 4
      )
    }
    let text = try JSONValue(parsing: shard.bytes(config..<start), path: path)
    columns = try MDSColumn.columns(of: text, path)
  }

  mutating func next() throws -> Record? {
    guard index < count else { return nil }
    defer { index += 1 }
    let place = DataError.Place.record(index + 1)
    let table = try shard.bytes(4 + 4 * index..<12 + 4 * index)
    let (start, end) = (Self.number(table, 0) ?? 0, Self.number(table, 4) ?? 0)
    guard start < end, end <= shard.byteCount, end - start <= Self.limit else {
      throw DataError(
        .badDescription("it lies at bytes \(start) to \(end) of \(shard.byteCount)"), path, place,
        at: 4 + 4 * index)
    }
    let sample = try shard.bytes(start..<end)
    var (position, sizes) = (4 * columns.count { $0.size == nil }, 0)
    var object = JSONObject()
    for column in columns {
      var size = column.size ?? 0
      if column.size == nil {
        size = Self.number(sample, 4 * sizes) ?? sample.count + 1
        sizes += 1
      }
      guard size <= sample.count - position else {
        throw DataError(
          .badDescription("column \(column.name) has \(size) bytes of \(sample.count)"), path, place
        )
      }
      if let value = try column.value(sample[position..<position + size], path, place) {
        object[column.name] = value
      }
      position += size
    }
    return Record(object, place)
  }

  static func number(_ bytes: [UInt8], _ at: Int) -> Int? {
    guard at >= 0, bytes.count - at >= 4 else { return nil }
    return (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
  }
}
