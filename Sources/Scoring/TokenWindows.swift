import Archives
import ByteIO
package import ChatTemplates
import Models
package import Tokenizers
package import Training

/// Tokens that run through a model together, and what shall be predicted of them.
package struct TokenWindow {
  package let tokens: [Int32]
  /// The token that follows each, in the same window and document; -100 is not predicted.
  package let labels: [Int32]
  /// Index of the first token of each token's document; nil when the window is of one document.
  package let firstVisible: [Int32]?
}

extension TokenWindows {
  /// Windows over a file of text or of records; what it is, its content says.
  ///
  /// - Parameter date: What a chat template writes as today's date.
  package init(
    _ path: String, by tokenizer: Tokenizer, length: Int, count: Int?, date: TemplateDate? = nil
  ) throws {
    let kind = try DataSniffer(path).kind
    if kind.isTokens { throw DataError(.notDocuments(kind), path) }
    self =
      kind.isRecords
      ? try TokenWindows(
        documents: path, kind, by: tokenizer, length: length, count: count, date: date)
      : try TokenWindows(text: path, by: tokenizer, length: length, count: count)
  }
}

/// Consecutive windows of equal length over a text's tokens, or over those of documents one after
/// another.
package struct TokenWindows {
  package let length: Int
  package private(set) var windows: [TokenWindow] = []
  /// Bytes of text that the windows' tokens stand for.
  package private(set) var byteCount = 0
  /// Whether they are packed from records, and not cut from a text.
  package private(set) var areOfDocuments = false

  /// Tokenises as much of a text as the windows need; a last, shorter stretch is left out.
  ///
  /// - Parameter count: Most windows; nil takes all.
  package init(
    text path: String, by tokenizer: Tokenizer, length: Int, count: Int?
  ) throws {
    self.length = length
    let data = try Self.plainText(path)
    // A token is rarely longer than this; where it is, the text is read further.
    var prefix =
      count.map { $0.multipliedReportingOverflow(by: length * 8) }
      .map { $0.overflow ? data.byteCount : min(data.byteCount, $0.partialValue) }
      ?? data.byteCount
    var ids: [Int32] = []
    while true {
      ids = try tokenizer.encode(data.bytes(0..<prefix))
      // The cut may break a word: the tokens near it are not those of the whole text.
      let margin = prefix < data.byteCount ? 64 : 0
      if prefix == data.byteCount || (ids.count - margin) / length >= count ?? 0 { break }
      prefix = min(data.byteCount, prefix * 2)
    }
    let full = min(ids.count / length, count ?? .max)
    windows = (0..<full).map {
      let tokens = Array(ids[($0 * length)..<(($0 + 1) * length)])
      return TokenWindow(
        tokens: tokens, labels: tokens.dropFirst() + [-100], firstVisible: nil)
    }
    byteCount = try tokenizer.decode(ids[..<(full * length)]).count
  }

  /// The bytes of a text after its byte-order mark, unpacked where they are compressed.
  private static func plainText(_ path: String) throws -> ByteRegion {
    var data = try ByteRegion(path: path)
    let stream = try DecompressedStream(path)
    var head: [UInt8] = []
    _ = try stream.read(1 << 10, into: &head)
    if try head != data.bytes(0..<min(head.count, data.byteCount)) {
      try stream.readRest(into: &head, limit: textLimit)
      data = ByteRegion(head, path: path)
    }
    let isMarked = head.starts(with: [0xEF, 0xBB, 0xBF])
    return (isMarked ? data.subregion(3..<data.byteCount) : nil) ?? data
  }

  /// Most bytes of an unpacked text.
  private static let textLimit = 1 << 30

  /// Packs the documents of a file of records, none of which sees another; the last window is filled up
  /// with tokens that nothing sees.
  ///
  /// - Parameters:
  ///   - count: Most windows; nil takes all.
  ///   - date: What a chat template writes as today's date.
  /// - Throws: `DataError` for a bad record.
  package init(
    documents path: String, _ kind: DataKind, by tokenizer: Tokenizer, length: Int, count: Int?,
    date: TemplateDate? = nil
  ) throws {
    self.length = length
    areOfDocuments = true
    let chat = try tokenizer.chatTemplate.map { try TextEncoder.Chat($0, tokenizer, date: date) }
    var reader = try DocumentReader(path, format: TextFormat(kind), chat: chat)
    var packed = PackedTokens()
    while windows.count < count ?? .max, let piece = try reader.next() {
      packed.append(try piece.tokens ?? tokenizer.encode(piece.segments))
      while packed.count >= length, windows.count < count ?? .max {
        try take(packed.removeFirst(length), tokenizer)
      }
    }
    if packed.count > 1, windows.count < count ?? .max {
      try take(packed.removeFirst(packed.count), tokenizer)
    }
  }

  private mutating func take(_ part: PackedTokens, _ tokenizer: Tokenizer) throws {
    byteCount += try tokenizer.decode(part.tokens).count
    windows.append(part.window(length))
  }
}

/// Tokens of documents one after another.
private struct PackedTokens {
  package private(set) var tokens: [Int32] = []
  /// Number of each token's document.
  private var documents: [Int] = []
  /// Whether each token shall be predicted.
  private var targets: [Bool] = []
  private var document = 0

  var count: Int { tokens.count }

  /// Appends a document, its tokens marked as in training.
  mutating func append(_ marked: [UInt32]) {
    document += 1
    tokens += marked.map { Int32(bitPattern: $0 & TokenMark.id) }
    documents += repeatElement(document, count: marked.count)
    targets += marked.map { $0 & TokenMark.notLearned == 0 }
  }

  mutating func removeFirst(_ count: Int) -> PackedTokens {
    var part = PackedTokens()
    part.tokens = Array(tokens[..<count])
    part.documents = Array(documents[..<count])
    part.targets = Array(targets[..<count])
    tokens.removeFirst(count)
    documents.removeFirst(count)
    targets.removeFirst(count)
    return part
  }

  /// The tokens as a window, filled up to `length`.
  func window(_ length: Int) -> TokenWindow {
    var labels = [Int32](repeating: -100, count: length)
    var first = (0..<length).map { Int32($0) }
    for i in tokens.indices.dropFirst() where documents[i] == documents[i - 1] {
      first[i] = first[i - 1]
      if targets[i] { labels[i - 1] = tokens[i] }
    }
    return TokenWindow(
      tokens: tokens + repeatElement(0, count: length - tokens.count), labels: labels,
      firstVisible: first.allSatisfy { $0 == 0 } ? nil : first)
  }
}
