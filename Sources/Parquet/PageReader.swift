import ByteIO
import Columns
import Compression

/// The pages of a column chunk, one after another.
struct PageReader {
  private let file: ParquetFile
  private let leaf: Leaf
  private let codec: Codec?
  private let place: ParquetError.Place
  private let end: Int
  private let stated: Int
  /// Position of the next page.
  private var position: Int
  private var dictionary: PrimitiveValues?
  private var valueCount = 0
  /// What is left of the row group's allowance (PQ-21).
  private var allowance: Int
  private let wholeAllowance: Int

  /// *Limits* of PQ-21.
  static let pageLimit = 1 << 30
  static let freePageBytes = 1 << 23
  static let pageRatio = 256
  static let freeValues = 1 << 22

  init(
    _ file: ParquetFile, group: Int, leaf number: Int, allowance: Int
  ) throws(ParquetError) {
    self.file = file
    leaf = file.leaves[number]
    place = ParquetError.Place(rowGroup: group, column: leaf.path)
    self.allowance = allowance
    wholeAllowance = allowance
    let chunk = file.rowGroups[group].chunks[number]
    stated = chunk.valueCount
    do throws(ParquetProblem) {
      let range = try chunk.range(limit: file.dataEnd)
      (position, end) = (range.lowerBound, range.upperBound)
      guard chunk.type == leaf.physical.rawValue else {
        throw .chunkType(chunk.type, schema: leaf.physical.rawValue)
      }
      let codecs: [Int: Codec] = [
        1: .snappy, 2: .gzip, 4: .brotli, 5: .lz4Hadoop, 6: .zstd, 7: .lz4Block,
      ]
      codec = codecs[chunk.codecNumber]
      guard codec != nil || chunk.codecNumber == 0 else { throw .codec(chunk.codecName) }
    } catch {
      throw ParquetError(error, file.path, at: chunk.start, place)
    }
  }

  /// The next data page; nil after the last.
  mutating func next() throws(ParquetError) -> Page? {
    while valueCount < stated {
      guard position < end else {
        throw failure(.valueTotal(valueCount, stated: stated))
      }
      let header = try readHeader()
      do throws(ParquetProblem) {
        try check(header)
        let start = position + header.byteCount
        position = start + header.compressedSize
        if case .index = header.kind { continue }
        let bytes = try contents(of: header, at: start)
        switch header.kind {
        case .index: continue
        case .dictionary(let count, let encoding): try setDictionary(bytes, count, encoding)
        case .data(let page):
          valueCount += page.valueCount
          guard valueCount <= stated else { throw .valueTotal(valueCount, stated: stated) }
          return try PageDecoder(leaf: leaf, dictionary: dictionary, limit: allowance)
            .decode(page, bytes)
        }
      } catch {
        if case .file(let error) = error { throw ParquetError(.file(error), file.path) }
        throw failure(error)
      }
    }
    return nil
  }

  func failure(_ problem: ParquetProblem) -> ParquetError {
    ParquetError(problem, file.path, at: position, place)
  }

  /// Headers are short, but for statistics with long strings.
  private func readHeader() throws(ParquetError) -> PageHeader {
    var size = 1 << 10
    while true {
      let limit = min(end, position + size)
      var reader = ThriftReader(
        try file.region.parquetBytes(position..<limit), path: file.path, base: position)
      do throws(ParquetError) { return try PageHeader(reading: &reader) } catch {
        guard error.problem.isOfEnd, limit < end, size < 1 << 24 else {
          throw ParquetError(error.problem, file.path, at: error.position, place)
        }
        size <<= 7
      }
    }
  }

  /// PQ-10 and PQ-21: sizes that fit the file and are worth their bytes.
  private mutating func check(_ header: PageHeader) throws(ParquetProblem) {
    let (size, unfolded) = (header.compressedSize, header.uncompressedSize)
    let left = end - position - header.byteCount
    guard size <= left else {
      throw .pageSize(compressed: size, uncompressed: unfolded, left: left)
    }
    let most = max(Self.freePageBytes, min(Self.pageLimit / Self.pageRatio, size) * Self.pageRatio)
    guard unfolded <= most else { throw .pageTooLarge(byteCount: unfolded, limit: most) }
    var values = 0
    switch header.kind {
    case .data(let page): values = page.valueCount
    case .dictionary(let count, _): values = count
    case .index: break
    }
    let mostValues = max(Self.freeValues, unfolded * 8)
    guard values <= mostValues else { throw .tooManyValues(values, limit: mostValues) }
    try charge(unfolded + 4 * values)
  }

  /// Takes `byteCount` from what the row group may unfold to.
  mutating func charge(_ byteCount: Int) throws(ParquetProblem) {
    allowance -= byteCount
    guard allowance >= 0 else { throw .tooMuchWork(limit: wholeAllowance) }
  }

  /// The page's bytes, decompressed.
  private func contents(of header: PageHeader, at start: Int) throws(ParquetProblem) -> [UInt8] {
    let stored: [UInt8]
    do { stored = try file.region.bytes(start..<(start + header.compressedSize)) } catch {
      throw .file(error)
    }
    if let checksum = header.checksum {
      let computed = crc32(stored.rawSpan)
      guard computed == checksum else { throw .checksum(stored: checksum, computed: computed) }
    }
    var levels = 0
    var isCompressed = codec != nil
    if case .data(let page) = header.kind, let bytes = page.levelBytes {
      let (sum, overflow) = bytes.repetition.addingReportingOverflow(bytes.definition)
      guard !overflow, sum <= min(stored.count, header.uncompressedSize) else {
        throw .levelBytes(overflow ? .max : sum, left: stored.count)
      }
      levels = sum
      isCompressed = isCompressed && page.isCompressed
    }
    guard isCompressed, let codec else {
      guard stored.count == header.uncompressedSize else {
        throw .pageSize(
          compressed: stored.count, uncompressed: header.uncompressedSize, left: stored.count)
      }
      return stored
    }
    return try decompressed(stored, codec, keeping: levels, byteCount: header.uncompressedSize)
  }

  /// PQ-12: what follows the levels is compressed, and must give the stated number of bytes.
  private func decompressed(
    _ stored: [UInt8], _ codec: Codec, keeping levels: Int, byteCount: Int
  ) throws(ParquetProblem) -> [UInt8] {
    // A page of missing values alone may have no compressed bytes at all.
    if byteCount == levels { return Array(stored[..<levels]) }
    do throws(DecompressionError) {
      let values = try codec.decompress(
        stored.rawSpan.extracting(levels..<stored.count), byteCount: byteCount - levels)
      return levels == 0 ? values : stored[..<levels] + values
    } catch {
      throw .decompression(error.description)
    }
  }

  /// PQ-14: a dictionary stands once, before all values.
  private mutating func setDictionary(
    _ bytes: [UInt8], _ count: Int, _ encoding: Int
  ) throws(ParquetProblem) {
    guard dictionary == nil else { throw .dictionaryTwice }
    guard encoding == 0 || encoding == 2 else { throw .encoding(encodingName(encoding)) }
    var cursor = PageCursor(bytes, 0..<bytes.count)
    dictionary = try cursor.plain(leaf, count)
  }
}
