import ByteIO

/// The index that Megatron-LM writes beside token ids: their type, and where sequences and documents end.
///
/// Nine bytes `MMIDIDX\0\0`; version, u64, 1; the type, u8; counts of sequences and of document
/// borders, u64 each; then for each sequence its length, i32; for each its position in bytes, i64; for
/// each border the number of a sequence, i64.
struct MegatronIndex {
  let type: TokenType
  let count: Int
  let documentCount: Int
  let elements: ByteRegion
  private let index: ByteRegion
  private let sequences: Int
  private let borders: Int

  static let magic = Array("MMIDIDX".utf8) + [0, 0]
  private static let headerSize = 34

  /// The names of index and ids, one of which is `path`.
  static func paths(_ path: String) -> (index: String, ids: String)? {
    for ending in [".idx", ".bin"] where path.lowercased().hasSuffix(ending) {
      let base = path.dropLast(4)
      return ending == ".idx" ? (path, base + ".bin") : (base + ".idx", path)
    }
    return nil
  }

  init(besides path: String) throws {
    guard let paths = Self.paths(path) else {
      throw DataError(.badTokens("an index has a name that ends in .idx"), path)
    }
    let index = try ByteRegion(path: paths.index)
    func bad(_ reason: String, _ at: Int) -> DataError {
      DataError(.badTokens("the index \(reason)"), paths.index, at: at)
    }
    let head = try index.bytes(0..<min(Self.headerSize, index.byteCount))
    guard head.count == Self.headerSize, head.starts(with: Self.magic) else {
      throw bad("does not start with MMIDIDX", 0)
    }
    var reader = ByteReader(head.rawSpan, at: 9)
    let version = try reader.read(UInt64.self)
    guard version == 1 else { throw bad("has version \(version), 1 is known", 9) }
    let types: [UInt8: TokenType] = [
      1: .uint8, 3: .int16, 4: .int32, 5: .int64, 8: .uint16,
    ]
    let code = try reader.read(UInt8.self)
    guard let type = types[code] else { throw DataError(.unsupportedType("\(code)"), paths.index) }
    sequences = Int(clamping: try reader.read(UInt64.self))
    borders = Int(clamping: try reader.read(UInt64.self))
    self.index = index
    let space = index.byteCount - Self.headerSize
    guard sequences <= space / 12, borders <= (space - 12 * sequences) / 8 else {
      throw bad("is too short for \(sequences) sequences and \(borders) borders", 18)
    }
    elements = try ByteRegion(path: paths.ids)
    self.type = type
    count = elements.byteCount / type.width
    documentCount = max(0, borders - 1)
    let end = try Self.end(of: sequences, in: index, width: type.width)
    guard end == elements.byteCount else {
      throw bad("stands for \(end) bytes of ids, there are \(elements.byteCount)", Self.headerSize)
    }
    guard count > 0 else { throw DataError(.empty, paths.ids) }
    try checkBorders()
  }

  /// Tokens at which documents begin, those of `range`, ascending.
  func documentStarts(in range: Range<Int>) throws -> [Int] {
    var (low, high) = (0, documentCount)
    while low < high {
      let middle = (low + high) / 2
      if try documentStart(middle) < range.lowerBound { low = middle + 1 } else { high = middle }
    }
    var starts: [Int] = []
    while low < documentCount {
      let start = try documentStart(low)
      guard start < range.upperBound else { break }
      // A document without tokens begins where the next does.
      if start != starts.last { starts.append(start) }
      low += 1
    }
    return starts
  }

  private func documentStart(_ document: Int) throws -> Int {
    let sequence = try border(document)
    guard sequence < sequences else { return count }
    return try number(at: Self.headerSize + 4 * sequences + 8 * sequence) / type.width
  }

  /// Number of the sequence at which document `index` begins.
  private func border(_ index: Int) throws -> Int {
    try number(at: Self.headerSize + 12 * sequences + 8 * index)
  }

  private func number(at position: Int) throws -> Int {
    let bytes = try index.bytes(position..<position + 8)
    var reader = ByteReader(bytes.rawSpan)
    return Int(try reader.read(Int64.self))
  }

  /// The borders must ascend from the first sequence to the end of the last.
  private func checkBorders() throws {
    let start = Self.headerSize + 12 * sequences
    var last = 0
    for first in stride(from: 0, to: borders, by: 1 << 16) {
      try Interruption.check()
      let end = min(borders, first + 1 << 16)
      let bytes = try index.bytes(start + 8 * first..<start + 8 * end)
      var reader = ByteReader(bytes.rawSpan)
      for number in first..<end {
        let border = Int(try reader.read(Int64.self))
        guard border >= last, border <= sequences, number > 0 || border == 0,
          number < borders - 1 || border == sequences
        else {
          throw DataError(
            .badTokens(
              "the index has \(border) as the border of document \(number), after \(last), of "
                + "\(sequences) sequences"), index.path, at: start + 8 * number)
        }
        last = border
      }
    }
  }

  /// Where the last sequence ends; every sequence must begin where the one before ends.
  private static func end(of sequences: Int, in index: ByteRegion, width: Int) throws -> Int {
    var end = 0
    let positions = headerSize + 4 * sequences
    for start in stride(from: 0, to: sequences, by: 1 << 16) {
      try Interruption.check()
      let stop = min(sequences, start + 1 << 16)
      let lengths = try index.bytes(headerSize + 4 * start..<headerSize + 4 * stop)
      let starts = try index.bytes(positions + 8 * start..<positions + 8 * stop)
      var (length, position) = (ByteReader(lengths.rawSpan), ByteReader(starts.rawSpan))
      for number in start..<stop {
        let (count, at) = (Int(try length.read(Int32.self)), Int(try position.read(Int64.self)))
        guard count >= 0, at == end else {
          throw DataError(
            .badTokens("sequence \(number) of \(count) ids begins at byte \(at), not at \(end)"),
            index.path, at: positions + 8 * number)
        }
        end += count * width
      }
    }
    return end
  }
}
