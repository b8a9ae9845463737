import Archives
import ByteIO

/// Documents of a file of plain text, one after another, in pieces.
struct TextDocuments {
  private let splitsAtBlankLines: Bool
  private let stream: DecompressedStream
  private var lines: LineReader
  private let skipsBadLines: Bool
  /// Lines that were left out because they are no UTF-8.
  private(set) var leftOut = 0
  /// Whether the paragraph that was read last goes on.
  private var isInParagraph = false
  private var isStarted = false
  private var isAtEnd = false
  private var buffer: [UInt8] = []
  /// Line of the piece's first byte, from 1.
  private var line = 1

  /// A piece that is tokenised at once; longer documents are cut, at a line's end where there is one, so
  /// that a document may be larger than memory.
  private static let pieceSize = 1 << 22

  /// - Parameter skipsBadLines: Leave out lines that are no UTF-8.
  init(_ path: String, splitsAtBlankLines: Bool, skipsBadLines: Bool) throws {
    self.splitsAtBlankLines = splitsAtBlankLines
    self.skipsBadLines = skipsBadLines
    stream = try DecompressedStream(path)
    lines = LineReader(stream)
  }

  /// The next piece; nil at the end of the file.
  mutating func next() throws -> DocumentPiece? {
    splitsAtBlankLines ? try nextParagraph() : try nextPiece()
  }

  /// A part between blank lines, or a piece of a long one.
  private mutating func nextParagraph() throws -> DocumentPiece? {
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
    return DocumentPiece(
      segments: [Segment(try valid(text, from: first))], endsDocument: !isInParagraph,
      startsDocument: starts, place: .line(first))
  }

  private mutating func nextPiece() throws -> DocumentPiece? {
    if isAtEnd { return nil }
    if !isStarted { try skipMark() }
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
    return DocumentPiece(
      segments: [Segment(try valid(text, from: line))], endsDocument: isAtEnd,
      startsDocument: starts, place: .line(line))
  }

  /// Steps over a byte-order mark.
  private mutating func skipMark() throws {
    while buffer.count < 3, try stream.read(1 << 20, into: &buffer) {}
    if buffer.starts(with: [0xEF, 0xBB, 0xBF]) { buffer.removeFirst(3) }
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
