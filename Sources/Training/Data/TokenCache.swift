package import ByteIO
import JSON

/// A folder of tokenised sources, each under a name made from its content and from how it was read.
///
/// `formats/run-folder.md` has the layout of a file.
package struct TokenCache: Sendable {
  package let folder: String

  package init(_ folder: String) { self.folder = folder }

  /// How a source is turned into tokens.
  package struct Request: Sendable {
    /// As the user named the source.
    package var path: String
    /// Its files, each of its own kind, one after another.
    package var files: [DataFiles.File]
    package var format: TextFormat
    package var encoder: TextEncoder
    /// Rows of the model's embedding.
    package var vocabulary: Int
    /// Leave bad records out and count them.
    package var skipsBadRecords: Bool

    /// - Parameter files: nil for a single file, of the kind of `format`.
    package init(
      path: String, files: [DataFiles.File]? = nil, format: TextFormat, encoder: TextEncoder,
      vocabulary: Int, skipsBadRecords: Bool
    ) {
      self.path = path
      self.files = files ?? [DataFiles.File(path: path, kind: format.kind)]
      self.format = format
      self.encoder = encoder
      self.vocabulary = vocabulary
      self.skipsBadRecords = skipsBadRecords
    }
  }

  /// The tokens of a source: from the cache when it is there, tokenised into it otherwise.
  ///
  /// - Parameter progress: Called with the number of tokens made so far.
  package func tokens(
    of request: Request, progress: (Int) -> Void = { _ in }
  ) throws -> CachedTokens {
    let key = try Self.key(of: request)
    let path = "\(folder)/\(key).tokens"
    if try pathKind(path) == .file {
      return try CachedTokens(path, of: request.path, key: key)
    }
    try createFolders(folder)
    let staged = try StagedOutput(at: path, isFolder: false, force: true, inputs: [], needed: 0)
    try Self.write(request, key: key, to: staged.temporary, progress: progress)
    try staged.publish()
    return try CachedTokens(path, of: request.path, key: key)
  }

  private static func key(of request: Request) throws -> Digest {
    let format = request.format
    let description: JSONValue = [
      "content": .array(
        try request.files.map {
          .string(try digest(of: $0.path).description + " " + $0.kind.rawValue)
        }),
      "tokenizer": .string(request.encoder.identity.description),
      "opening": .array(request.encoder.opening.map { JSONValue(Int($0)) }),
      "ending": JSONValue(request.encoder.ending.map { Int($0) }),
      "blank_lines": .bool(format.splitsAtBlankLines),
      "fields": [
        .string(format.fields.text), .string(format.fields.prompt),
        .string(format.fields.completion), .string(format.fields.messages),
      ],
      "chat": .string(request.encoder.chat?.identity.description ?? ""),
      "skip_bad_records": .bool(request.skipsBadRecords),
      // Raised when the same text gets other tokens or marks.
      "revision": 3,
    ]
    return SHA256.digest(of: Array(description.text().utf8))
  }

  private static func digest(of path: String) throws -> Digest {
    let file = try ByteRegion(path: path)
    var hash = SHA256()
    var start = 0
    while start < file.byteCount {
      try Interruption.check()
      let end = min(start + 1 << 20, file.byteCount)
      hash.update(try file.bytes(start..<end))
      start = end
    }
    return hash.finish()
  }

  private static func write(
    _ request: Request, key: Digest, to path: String, progress: (Int) -> Void
  ) throws {
    var output = try OutputFile(creating: path)
    try output.write(CachedTokens.magic + key.bytes)
    var tally = Tally()
    for file in request.files {
      try append(file, request, to: &output, &tally, progress: progress)
    }
    guard tally.tokens > 0 else { throw DataError(.empty, request.path) }
    try output.write(
      littleEndian([tally.tokens, tally.documents, tally.skipped].map { UInt64($0) }))
    _ = try output.finish()
  }

  private static func append(
    _ file: DataFiles.File, _ request: Request, to output: inout OutputFile, _ tally: inout Tally,
    progress: (Int) -> Void
  ) throws {
    var format = request.format
    format.kind = file.kind
    var reader = try DocumentReader(
      file.path, format: format, chat: request.encoder.chat,
      skipsBadLines: request.skipsBadRecords)
    while true {
      do {
        guard let piece = try reader.next() else { break }
        var tokens = try encode(piece, file.path, request)
        if piece.startsDocument, !tokens.isEmpty { tokens[0] |= TokenMark.startsDocument }
        try output.write(littleEndian(tokens))
        tally.tokens += tokens.count
        if piece.endsDocument { tally.documents += 1 }
        progress(tally.tokens)
      } catch let error as DataError where request.skipsBadRecords {
        guard error.isOfOneRecord else { throw error }
        tally.skipped += 1
      }
    }
    tally.skipped += reader.leftOut
  }

  private struct Tally {
    var tokens = 0
    var documents = 0
    var skipped = 0
  }

  private static func encode(
    _ piece: DocumentPiece, _ path: String, _ request: Request
  ) throws -> [UInt32] {
    let encoder = request.encoder
    var tokens = try piece.tokens ?? encoder.encode(piece.segments)
    if let bad = tokens.first(where: { $0 & TokenMark.id >= request.vocabulary }) {
      throw DataError(
        .tokenOutOfRange(id: Int(bad & TokenMark.id), vocabulary: request.vocabulary), path,
        piece.place)
    }
    if piece.tokens != nil { return tokens }
    // What opens a document is learned with it, but not before a prompt.
    let mark = piece.segments.first?.isTarget ?? true ? 0 : TokenMark.notLearned
    let opening = encoder.opening.map { UInt32($0) | mark }
    // Chat templates write the opening themselves.
    if piece.startsDocument, !tokens.lazy.map({ $0 & TokenMark.id | mark }).starts(with: opening) {
      tokens = opening + tokens
    }
    if piece.endsDocument, let ending = encoder.ending {
      tokens.append(UInt32(ending) | (piece.learnsEnding ? 0 : TokenMark.notLearned))
    }
    return tokens
  }
}

/// A file of the token cache, or a copy of one under a name of its own.
package struct CachedTokens: TokenStream {
  package let path: String
  /// The file itself; `path` is that of the text.
  package let file: String
  package let count: Int
  package let documentCount: Int
  /// Bad records that were left out.
  package let skippedCount: Int
  package let marksDocuments: Bool
  private let tokens: ByteRegion

  static let magic = Array("ckpttok1".utf8)
  private static let headerSize = 40
  private static let trailerSize = 24

  /// Opens tokens that the user named, whatever they were made from.
  package init(_ file: String) throws { try self.init(file, of: file, key: nil) }

  init(_ file: String, of source: String, key: Digest?) throws {
    let region = try ByteRegion(path: file)
    let size = region.byteCount
    guard size >= Self.headerSize + Self.trailerSize,
      try region.bytes(0..<Self.headerSize).starts(with: Self.magic + (key?.bytes ?? []))
    else {
      let wanted = key == nil ? "a token file's" : "this source's"
      throw DataError(.badCache("its header is not \(wanted)"), file)
    }
    let trailer = try region.bytes(size - Self.trailerSize..<size)
    var reader = ByteReader(trailer.rawSpan)
    let counts = [
      try reader.read(UInt64.self), try reader.read(UInt64.self), try reader.read(UInt64.self),
    ].map { Int(clamping: $0) }
    let end = size - Self.trailerSize
    guard (end - Self.headerSize) % 4 == 0, counts[0] == (end - Self.headerSize) / 4,
      let tokens = region.subregion(Self.headerSize..<end)
    else { throw DataError(.badCache("\(size) bytes for \(counts[0]) tokens"), file) }
    path = source
    self.file = file
    count = counts[0]
    documentCount = counts[1]
    skippedCount = counts[2]
    self.tokens = tokens
    let first = count > 0 ? try tokens.bytes(0..<4) : []
    marksDocuments = first.last.map { $0 & UInt8(TokenMark.startsDocument >> 24) != 0 } ?? false
  }

  /// Writes tokens as a file that can be named as a source; their documents are not counted.
  package static func write(_ stream: any TokenStream, to output: inout OutputFile) throws {
    try output.write(magic + SHA256.digest(of: Array(stream.path.utf8)).bytes)
    var start = 0
    while start < stream.count {
      try Interruption.check()
      var tokens = [UInt32](repeating: 0, count: min(1 << 18, stream.count - start))
      try stream.read(at: start, into: &tokens)
      try output.write(littleEndian(tokens))
      start += tokens.count
    }
    try output.write(littleEndian([UInt64(stream.count), 0, 0]))
  }

  package func read(at start: Int, into result: inout [UInt32]) throws {
    let bytes = try tokens.bytes(start * 4..<(start + result.count) * 4)
    var reader = ByteReader(bytes.rawSpan)
    for i in result.indices { result[i] = try reader.read(UInt32.self) }
  }
}

/// The bytes of integers, lowest first.
package func littleEndian(_ values: [some FixedWidthInteger & UnsignedInteger]) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(values.count * MemoryLayout.size(ofValue: values.first ?? 0))
  for value in values {
    for shift in stride(from: 0, to: value.bitWidth, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }
  return bytes
}
