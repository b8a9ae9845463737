import ByteIO

/// Integers that token ids are stored as, lowest byte first.
enum TokenType: Sendable {
  case uint8, uint16, int16, uint32, int32, uint64, int64

  /// In bytes.
  var width: Int {
    switch self {
    case .uint8: 1
    case .uint16, .int16: 2
    case .uint32, .int32: 4
    case .uint64, .int64: 8
    }
  }
}

/// Token ids stored by another program.
package struct TokenFile: TokenStream {
  package let path: String
  package let count: Int
  /// nil when the file does not say.
  package let documentCount: Int?
  private let tokens: ByteRegion
  private let type: TokenType
  /// Whether nothing in the file says what its bytes are.
  private let isBare: Bool
  private let borders: Borders

  /// Where documents begin.
  private enum Borders {
    /// After each token of this id; nothing says it where there is none.
    case after(Int?)
    case index(MegatronIndex)
  }

  /// Opens a file of token ids.
  ///
  /// - Parameters:
  ///   - vocabulary: Rows of the model's embedding; they decide the width of bare ids.
  ///   - ending: The token that ends a document, where the file does not say where documents end.
  package init(
    _ path: String, _ kind: DataKind, vocabulary: Int, ending: Int32? = nil
  ) throws {
    self.path = path
    isBare = kind == .bin
    if kind == .megatron {
      let index = try MegatronIndex(besides: path)
      (type, count, tokens) = (index.type, index.count, index.elements)
      (documentCount, borders) = (index.documentCount, .index(index))
      return
    }
    (documentCount, borders) = (nil, .after(ending.map { Int($0) }))
    switch kind {
    case .npy:
      let header = try NPYHeader(ByteRegion(path: path))
      (type, count, tokens) = (header.type, header.count, header.elements)
    case .shard:
      let shard = try TokenShard(ByteRegion(path: path))
      (type, count, tokens) = (shard.type, shard.count, shard.elements)
    default:
      type = vocabulary > 1 << 16 ? .uint32 : .uint16
      tokens = try ByteRegion(path: path)
      guard tokens.byteCount > 0 else { throw DataError(.empty, path) }
      guard tokens.byteCount % type.width == 0 else {
        throw DataError(.partialToken(byteCount: tokens.byteCount, width: type.width), path)
      }
      count = tokens.byteCount / type.width
    }
  }

  package var marksDocuments: Bool { if case .after(nil) = borders { false } else { true } }

  package func read(at start: Int, into result: inout [UInt32]) throws {
    // Numbers that are no id are far beyond any vocabulary.
    for (i, id) in try ids(start..<start + result.count).enumerated() {
      result[i] = UInt32(exactly: id).map { min($0, TokenMark.id) } ?? TokenMark.id
    }
    switch borders {
    case .after(nil): break
    case .after(let ending?):
      var before = start == 0 ? ending : try ids(start - 1..<start)[0]
      for i in result.indices {
        let id = Int(result[i])
        if before == ending { result[i] |= TokenMark.startsDocument }
        before = id
      }
    case .index(let index):
      for border in try index.documentStarts(in: start..<start + result.count) {
        result[border - start] |= TokenMark.startsDocument
      }
    }
  }

  private func ids(_ range: Range<Int>) throws -> [Int] {
    let width = type.width
    let bytes = try tokens.bytes(range.lowerBound * width..<range.upperBound * width)
    var reader = ByteReader(bytes.rawSpan)
    var ids: [Int] = []
    ids.reserveCapacity(range.count)
    for _ in range {
      let id =
        switch type {
        case .uint8: Int(try reader.read(UInt8.self))
        case .uint16: Int(try reader.read(UInt16.self))
        case .int16: Int(try reader.read(Int16.self))
        case .uint32: Int(try reader.read(UInt32.self))
        case .int32: Int(try reader.read(Int32.self))
        case .uint64: Int(clamping: try reader.read(UInt64.self))
        case .int64: Int(try reader.read(Int64.self))
        }
      ids.append(id)
    }
    return ids
  }

  /// Throws when any id is not below `vocabulary`, and for bare ids that are twice as wide as thought.
  package func check(vocabulary: Int) throws {
    var start = 0
    var hasOdd = false
    while start < count {
      try Interruption.check()
      let ids = try ids(start..<min(count, start + 1 << 18))
      if let bad = ids.firstIndex(where: { $0 < 0 || $0 >= vocabulary }) {
        throw DataError(
          .tokenOutOfRange(id: ids[bad], vocabulary: vocabulary), path,
          at: tokens.start + (start + bad) * type.width)
      }
      if !hasOdd { hasOdd = ids.indices.contains { $0 & 1 == 1 && ids[$0] != 0 } }
      start += ids.count
    }
    if isBare, !hasOdd, count > 3 {
      throw DataError(
        .ambiguous(
          "every second of its ids of \(type.width) bytes is 0: they seem to have "
            + "\(2 * type.width) bytes"), path)
    }
  }
}

/// The token ids of several files, one after another.
package struct JoinedTokens: TokenStream {
  package let path: String
  package let count: Int
  private let parts: [any TokenStream]

  package var marksDocuments: Bool { parts.allSatisfy(\.marksDocuments) }

  package init(_ parts: [any TokenStream], path: String) {
    self.path = path
    self.parts = parts
    count = parts.reduce(0) { $0 + $1.count }
  }

  package func read(at start: Int, into result: inout [UInt32]) throws {
    var (first, done) = (0, 0)
    for part in parts where done < result.count {
      let position = start + done - first
      first += part.count
      guard position < part.count else { continue }
      var piece = [UInt32](repeating: 0, count: min(result.count - done, part.count - position))
      try part.read(at: position, into: &piece)
      result.replaceSubrange(done..<done + piece.count, with: piece)
      done += piece.count
    }
  }
}
