import ByteIO

/// A shard of token ids as llm.c writes it, and modded-nanogpt after it: 256 numbers of 32 bits (a magic
/// number, a version, the count of tokens, zeros), then the ids.
struct TokenShard {
  var type: TokenType
  var count: Int
  var elements: ByteRegion

  private static let headerSize = 1024
  /// Of 16-bit ids (GPT-2's), and of 32-bit ids (Llama 3's).
  private static let (narrow, wide) = (UInt32(20_240_520), UInt32(20_240_801))

  static func isShard(_ head: [UInt8]) -> Bool {
    guard head.count >= 12, let magic = number(head, 0) else { return false }
    return magic == narrow || magic == wide
  }

  init(_ file: ByteRegion) throws {
    guard file.byteCount >= Self.headerSize else {
      throw DataError(.badTokens("a shard's header has 1024 bytes"), file.path)
    }
    let head = try file.bytes(0..<Self.headerSize)
    type = Self.number(head, 0) == Self.wide ? .uint32 : .uint16
    count = Int(Self.number(head, 8) ?? 0)
    let space = file.byteCount - Self.headerSize
    guard count > 0, count * type.width == space,
      let elements = file.subregion(Self.headerSize..<file.byteCount)
    else {
      throw DataError(
        .badTokens("the header says \(count) ids of \(type.width) bytes, \(space) bytes follow"),
        file.path, at: 8)
    }
    self.elements = elements
  }

  private static func number(_ bytes: [UInt8], _ at: Int) -> UInt32? {
    var reader = ByteReader(bytes.rawSpan, at: at)
    return try? reader.read(UInt32.self)
  }
}
