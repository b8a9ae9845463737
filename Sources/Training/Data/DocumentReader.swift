import ByteIO

/// A document, or a piece of one.
package struct DocumentPiece: Equatable {
  package var segments: [Segment]
  /// The document's tokens where they are what the file holds; there are no segments then.
  package var tokens: [UInt32]?
  /// Whether the document ends here, or goes on in the next piece.
  package var endsDocument = true
  package var startsDocument = true
  /// Whether the token that ends the document is a target.
  var learnsEnding = true
  /// Where the piece starts.
  package var place: DataError.Place
}

/// Documents of a file of text or of records, one after another, compressed or not.
package struct DocumentReader {
  private enum Source {
    case text(TextDocuments)
    case records(any RecordSource, RecordText)
  }

  private var source: Source

  /// - Parameters:
  ///   - skipsBadLines: Leave out lines of plain text that are no UTF-8.
  ///   - group: The row group of a file of columns that is read; nil reads all.
  package init(
    _ path: String, format: TextFormat, chat: TextEncoder.Chat? = nil, skipsBadLines: Bool = false,
    group: Int? = nil
  ) throws {
    source =
      if format.kind.isRecords {
        .records(
          try recordSource(
            path, format.kind, fields: RecordText.wanted(format.fields), group: group),
          RecordText(fields: format.fields, path: path, template: chat))
      } else {
        .text(
          try TextDocuments(
            path, splitsAtBlankLines: format.splitsAtBlankLines, skipsBadLines: skipsBadLines))
      }
  }

  /// Lines of plain text that were left out because they are no UTF-8.
  var leftOut: Int { if case .text(let text) = source { text.leftOut } else { 0 } }

  /// The next piece; nil at the end of the file.
  ///
  /// - Throws: `DataError` for a bad record, after which reading may go on with the next one.
  package mutating func next() throws -> DocumentPiece? {
    switch source {
    case .text(var text):
      defer { source = .text(text) }
      return try text.next()
    case .records(var records, let layout):
      defer { source = .records(records, layout) }
      guard let record = try records.next() else { return nil }
      if layout.fields.areUsual,
        let tokens = try RecordTokens(record: record, path: layout.path).ids()
      {
        return DocumentPiece(segments: [], tokens: tokens, place: record.place)
      }
      let text = try layout.text(record)
      return DocumentPiece(
        segments: text.segments, learnsEnding: text.learnsEnding, place: record.place)
    }
  }
}
