import Archives
import ByteIO

/// Documents of a text or JSONL file, one after another, compressed or not.
struct DocumentReader {
  private let format: TextFormat
  private let stream: DecompressedStream
  private var lines: LineReader
  private let records: RecordReader
  private var isStarted = false
  private var isAtEnd = false
  private var buffer: [UInt8] = []
  /// Line of the document's first byte, from 1; of plain text, of the piece.
  private var line = 1

  /// A piece of plain text that is tokenised at once; longer documents are cut, at a line's end where
  /// there is one, so that a document may be larger than memory.
  private static let pieceSize = 1 << 22

  init(_ path: String, format: TextFormat) throws {
    self.format = format
    stream = try DecompressedStream(path)
    lines = LineReader(stream)
    records = RecordReader(format: format, path: path)
  }

  /// A document, or a piece of one.
  struct Piece: Equatable {
    var segments: [Segment]
    /// Whether the document ends here, or goes on in the next piece.
    var endsDocument = true
    var startsDocument = true
  }

  /// The next piece; nil at the end of the file.
  ///
  /// - Throws: `DataError` for a bad record, after which reading may go on with the next one.
  mutating func next() throws -> Piece? {
    if format.layout == .jsonl { return try nextRecord() }
    return format.splitsAtBlankLines ? try nextParagraph() : try nextPiece()
  }

  private mutating func nextRecord() throws -> Piece? {
    while let bytes = try lines.next() {
      if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
      return Piece(segments: try records.segments(bytes, line: lines.line))
    }
    return nil
  }

  private mutating func nextParagraph() throws -> Piece? {
    var text: [UInt8] = []
    var first = 0
    while let bytes = try lines.next() {
      if !bytes.isEmpty {
        if text.isEmpty { first = lines.line } else { text.append(0x0A) }
        text += bytes
      } else if !text.isEmpty {
        break
      }
    }
    if text.isEmpty { return nil }
    try requireUTF8(text, first)
    return Piece(segments: [Segment(text)])
  }

  private mutating func nextPiece() throws -> Piece? {
    if isAtEnd { return nil }
    // One byte more than a piece, to see whether anything follows.
    while buffer.count <= Self.pieceSize {
      if try !stream.read(1 << 20, into: &buffer) {
        isAtEnd = true
        break
      }
    }
    let starts = !isStarted
    isStarted = true
    let end = isAtEnd ? buffer.count : cut()
    let text = Array(buffer[..<end])
    buffer.removeFirst(end)
    if text.isEmpty { return nil }
    defer { line += text.count { $0 == 0x0A } }
    try requireUTF8(text, line)
    return Piece(
      segments: [Segment(text)], endsDocument: isAtEnd, startsDocument: starts)
  }

  /// Where to cut the buffer: after a line's end before visible text, or at a space, or between
  /// characters.
  private func cut() -> Int {
    let half = Self.pieceSize / 2
    for i in stride(from: Self.pieceSize - 1, to: half, by: -1)
    where buffer[i] == 0x0A && buffer[i + 1] > 0x20 { return i + 1 }
    for i in stride(from: Self.pieceSize - 1, to: half, by: -1)
    where buffer[i] == 0x20 && buffer[i - 1] != 0x20 { return i }
    var end = Self.pieceSize
    while end > half, buffer[end] & 0xC0 == 0x80 { end -= 1 }
    return end
  }

  private func requireUTF8(_ text: [UInt8], _ firstLine: Int) throws(DataError) {
    if String(validating: text, as: UTF8.self) != nil { return }
    var decoder = UTF8()
    var iterator = text.makeIterator()
    var count = 0
    while case .scalarValue(let scalar) = decoder.decode(&iterator) {
      count += UTF8.width(scalar)
    }
    let line = firstLine + text[..<min(count, text.count)].count { $0 == 0x0A }
    throw DataError(.invalidUTF8, stream.path, line: line)
  }
}
