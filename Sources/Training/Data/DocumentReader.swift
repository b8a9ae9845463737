import Archives
import ByteIO

/// Documents of a text or JSONL file, one after another, compressed or not.
package struct DocumentReader {
  private let format: TextFormat
  private let stream: DecompressedStream
  private var lines: LineReader
  private let records: RecordReader
  private let skipsBadLines: Bool
  /// Lines of plain text that were left out because they are no UTF-8.
  private(set) var leftOut = 0
  /// Whether the paragraph that was read last goes on.
  private var isInParagraph = false
  private var isStarted = false
  private var isAtEnd = false
  private var buffer: [UInt8] = []
  /// Line of the document's first byte, from 1; of plain text, of the piece.
  private var line = 1

  /// A piece of plain text that is tokenised at once; longer documents are cut, at a line's end where
  /// there is one, so that a document may be larger than memory.
  private static let pieceSize = 1 << 22

  /// - Parameter skipsBadLines: Leave out lines of plain text that are no UTF-8.
  package init(
    _ path: String, format: TextFormat, chat: TextEncoder.Chat? = nil, skipsBadLines: Bool = false
  ) throws {
    self.format = format
    self.skipsBadLines = skipsBadLines
    stream = try DecompressedStream(path)
    lines = LineReader(stream)
    records = RecordReader(format: format, path: path, template: chat)
  }

  /// A document, or a piece of one.
  package struct Piece: Equatable {
    package var segments: [Segment]
    /// Whether the document ends here, or goes on in the next piece.
    package var endsDocument = true
    package var startsDocument = true
    /// Whether the token that ends the document is a target.
    var learnsEnding = true
    /// Line that the piece starts at, from 1.
    var line: Int
  }

  /// The next piece; nil at the end of the file.
  ///
  /// - Throws: `DataError` for a bad record, after which reading may go on with the next one.
  package mutating func next() throws -> Piece? {
    if format.layout == .jsonl { return try nextRecord() }
    return format.splitsAtBlankLines ? try nextParagraph() : try nextPiece()
  }

  private mutating func nextRecord() throws -> Piece? {
    while let bytes = try lines.next() {
      if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
      let text = try records.text(bytes, line: lines.line)
      return Piece(segments: text.segments, learnsEnding: text.learnsEnding, line: lines.line)
    }
    return nil
  }

  /// A part between blank lines, or a piece of a long one.
  private mutating func nextParagraph() throws -> Piece? {
    var text: [UInt8] = []
    let starts = !isInParagraph
    var first = lines.line
    isInParagraph = true
    while text.count < Self.pieceSize {
      guard let bytes = try lines.next() else {
        isInParagraph = false
        break
      }
      if bytes.isEmpty {
        if starts, text.isEmpty { continue }
        isInParagraph = false
        break
      }
      if text.isEmpty { first = lines.line }
      if !starts || !text.isEmpty { text.append(0x0A) }
      text += bytes
    }
    if text.isEmpty, starts { return nil }
    return Piece(
      segments: [Segment(try valid(text, from: first))], endsDocument: !isInParagraph,
      startsDocument: starts, line: first)
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
    return Piece(
      segments: [Segment(try valid(text, from: line))], endsDocument: isAtEnd,
      startsDocument: starts, line: line)
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

  /// The text, or what is left of it without its bad lines.
  private mutating func valid(
    _ text: [UInt8], from firstLine: Int
  ) throws(DataError) -> [UInt8] {
    if String(validating: text, as: UTF8.self) != nil { return text }
    let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false)
    let kept = lines.filter { String(validating: $0, as: UTF8.self) != nil }
    guard skipsBadLines else {
      let bad = zip(lines, kept).prefix { $0 == $1 }.count
      throw DataError(.invalidUTF8, stream.path, line: firstLine + bad)
    }
    leftOut += lines.count - kept.count
    return Array(kept.joined(separator: [0x0A]))
  }
}
