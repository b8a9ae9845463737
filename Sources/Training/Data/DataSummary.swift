import Arrow
package import ByteIO
import Columns
package import JSON
import Parquet

/// What a file of data holds, from its head and its first records.
package struct DataSummary {
  package struct Column: Sendable {
    package var name: String
    package var type: String
  }

  package let path: String
  package let kind: DataKind
  package let byteCount: Int
  package private(set) var warnings: [Warning] = []
  /// Of a file that states them.
  package private(set) var columns: [Column] = []
  package private(set) var rowCounts: [Int]?
  /// Codecs in the format's own spelling.
  package private(set) var compression: [String] = []
  package private(set) var createdBy: String?
  package private(set) var tokenCount: Int?
  package private(set) var documentCount: Int?
  package private(set) var firstTokens: [UInt32] = []
  package private(set) var firstRecords: [JSONObject] = []

  /// - Parameter count: Most records and tokens that are shown.
  package init(_ path: String, kind: DataKind, warnings: [Warning], first count: Int) throws {
    self.path = path
    self.kind = kind
    self.warnings = warnings
    byteCount = try ByteRegion(path: path).byteCount
    if kind.isTokens { try readTokens(count) }
    switch kind {
    case .parquet:
      let file = try ParquetFile(ByteRegion(path: path))
      describe(file)
      let chunks = file.rowGroups.flatMap(\.chunks)
      compression = Set(chunks.map(\.codecName)).sorted()
      createdBy = file.createdBy
    case .arrow: describe(try ArrowFile(ByteRegion(path: path)))
    default: break
    }
    guard kind.isRecords else { return }
    var source = try recordSource(path, kind)
    while firstRecords.count < count, let record = try source.next() {
      firstRecords.append(record.object)
    }
  }

  private mutating func describe(_ file: some ColumnFile) {
    columns = file.fields.map { Column(name: $0.name, type: $0.type.description) }
    rowCounts = file.groupRowCounts
  }

  private mutating func readTokens(_ count: Int) throws {
    let stream: any TokenStream
    if kind == .tokens {
      let tokens = try CachedTokens(path)
      documentCount = tokens.documentCount
      stream = tokens
    } else {
      let tokens = try TokenFile(path, kind, vocabulary: 0)
      documentCount = tokens.documentCount
      stream = tokens
    }
    tokenCount = stream.count
    firstTokens = [UInt32](repeating: 0, count: min(stream.count, 8 * count))
    try stream.read(at: 0, into: &firstTokens)
    firstTokens = firstTokens.map { $0 & TokenMark.id }
  }
}
