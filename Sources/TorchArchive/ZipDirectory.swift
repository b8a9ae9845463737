import ByteIO

/// One file of a zip archive, as the central directory and its local header agree.
struct ZipEntry: Equatable, Sendable {
  enum Method: UInt16, Sendable {
    case stored = 0
    case deflated = 8
  }

  var name: String
  var method: Method
  /// Of the uncompressed bytes; zero when the writer computed none.
  var checksum: UInt32
  /// Bytes in the archive.
  var compressedCount: Int
  /// Bytes of the file itself.
  var byteCount: Int
  /// Position of the local header.
  var headerOffset: Int
  /// Position of the first byte after the local header.
  var dataOffset = 0
  /// Whether a data descriptor follows the data.
  var hasDescriptor: Bool

  /// Where the bytes lie in the archive.
  var range: Range<Int> { dataOffset..<(dataOffset + compressedCount) }
}

/// The table of a zip archive's files (APPNOTE 6.3.10), with every rule checked; no data is read.
struct ZipDirectory: Sendable {
  /// Largest central directory that is read: some 500,000 entries.
  static let byteLimit = 32 << 20

  /// In order of their position.
  let entries: [ZipEntry]
  let warnings: [Warning]
  private let indices: [ExactString: Int]

  init(_ region: ByteRegion) throws(TorchError) {
    let end = try ZipEnd(region)
    guard end.directory.count <= Self.byteLimit else {
      throw TorchError(
        .directoryTooLarge(byteCount: end.directory.count, limit: Self.byteLimit), in: region,
        at: end.directory.lowerBound)
    }
    let bytes = try region.torchBytes(end.directory)
    var reader = ZipRecordReader(bytes, region, base: end.directory.lowerBound)
    var entries: [ZipEntry] = []
    while !reader.isAtEnd {
      var entry = try reader.centralEntry(directory: end.directory)
      try entry.readLocalHeader(region, limit: end.directory.lowerBound)
      entries.append(entry)
    }
    guard UInt64(entries.count) == end.entryCount else {
      throw TorchError(
        .entryCount(declared: end.entryCount, found: entries.count), in: region,
        at: end.directory.lowerBound)
    }
    entries.sort { $0.headerOffset < $1.headerOffset }
    warnings = try Self.checkLayout(entries, region, end: end.directory.lowerBound)
    indices = try Self.index(entries, region)
    self.entries = entries
  }

  subscript(name: String) -> ZipEntry? { indices[ExactString(name)].map { entries[$0] } }

  /// Entries follow one another from the first byte on, and share none.
  private static func checkLayout(
    _ entries: [ZipEntry], _ region: ByteRegion, end: Int
  ) throws(TorchError) -> [Warning] {
    if let first = entries.first, first.headerOffset != 0 {
      throw TorchError(.prefix(byteCount: first.headerOffset), in: region, at: 0)
    }
    var holes = 0
    for (i, entry) in entries.enumerated() {
      let isLast = i + 1 == entries.count
      let next = isLast ? end : entries[i + 1].headerOffset
      guard entry.range.upperBound <= next else {
        let other = isLast ? "the central directory" : entries[i + 1].name
        throw TorchError(.overlap(entry: entry.name, with: other), in: region, at: next)
      }
      // A descriptor is a CRC and two sizes of 4 or 8 bytes, with or without a signature.
      let allowed = entry.hasDescriptor ? [12, 16, 20, 24] : [0]
      if !allowed.contains(next - entry.range.upperBound) { holes += 1 }
    }
    guard holes > 0 else { return [] }
    return [
      Warning(
        "zip.hole", "\(holes) stretches between entries belong to none of them", file: region.path)
    ]
  }

  private static func index(
    _ entries: [ZipEntry], _ region: ByteRegion
  ) throws(TorchError) -> [ExactString: Int] {
    var indices: [ExactString: Int] = [:]
    indices.reserveCapacity(entries.count)
    for (i, entry) in entries.enumerated()
    where indices.updateValue(i, forKey: ExactString(entry.name)) != nil {
      throw TorchError(.nameTwice(entry.name), in: region, at: entry.headerOffset)
    }
    return indices
  }
}
