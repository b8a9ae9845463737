/// The fields of a protobuf message, one after another. Nothing is copied and nothing nested is
/// entered: what a field holds is a place in the file.
struct WireReader {
  enum Content {
    case varint(UInt64)
    case fixed32(UInt32)
    case fixed64
    /// A text, bytes, or a message.
    case block(Range<Int>)
  }

  struct Field {
    var number: UInt64
    var content: Content
    /// Where the field starts in the file.
    var offset: Int
  }

  private let bytes: [UInt8]
  private var position: Int
  private let end: Int

  /// The fields of the message at `range` of a file, or of the whole file.
  init(_ bytes: [UInt8], _ range: Range<Int>? = nil) {
    self.bytes = bytes
    position = range?.lowerBound ?? 0
    end = range?.upperBound ?? bytes.count
  }

  /// The next field; nil at the message's end.
  mutating func next() throws(TokenizerError) -> Field? {
    guard position < end else { return nil }
    let offset = position
    let tag = try varint()
    guard tag >> 3 > 0 else { throw error(offset, "a field has number 0") }
    let content: Content
    switch tag & 7 {
    case 0: content = .varint(try varint())
    case 1:
      _ = try take(8, of: offset)
      content = .fixed64
    case 2:
      let count = try varint()
      guard count <= UInt64(end - position) else {
        throw error(offset, "a field of \(count) bytes, with \(end - position) left")
      }
      content = .block(try take(Int(count), of: offset))
    case 5:
      let place = try take(4, of: offset)
      content = .fixed32(bytes[place].reversed().reduce(0) { $0 << 8 | UInt32($1) })
    case let type: throw error(offset, "a field of wire type \(type)")
    }
    return Field(number: tag >> 3, content: content, offset: offset)
  }

  private mutating func take(_ count: Int, of offset: Int) throws(TokenizerError) -> Range<Int> {
    guard count <= end - position else {
      throw error(offset, "a field of \(count) bytes, with \(end - position) left")
    }
    position += count
    return position - count..<position
  }

  private mutating func varint() throws(TokenizerError) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < end, shift < 64 {
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw error(start, shift < 64 ? "a number is cut off" : "a number of more than ten bytes")
  }

  private func error(_ offset: Int, _ found: String) -> TokenizerError {
    TokenizerError(.notSentencePiece(offset: offset, found))
  }
}
