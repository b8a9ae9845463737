/// Some rows of a file: one chunk of each column.
package struct RowGroup: Sendable {
  package var rowCount = 0
  package var chunks: [ColumnChunk] = []

  init(reading reader: inout ThriftReader) throws(ParquetError) {
    var (rows, columns): (Int?, [ColumnChunk]?)
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      switch (field, kind) {
      case (1, .list):
        columns = try reader.list("columns", of: .structure, ColumnChunk.init(reading:))
      case (3, _): rows = try reader.count("num_rows", kind)
      default: return false
      }
      return true
    }
    guard let columns else { throw reader.fail(.missing(field: "columns")) }
    guard let rows else { throw reader.fail(.missing(field: "num_rows of a row group")) }
    (rowCount, chunks) = (rows, columns)
  }
}

/// Where the values of a column lie for the rows of one group.
package struct ColumnChunk: Sendable {
  var type = -1
  package var codecNumber = -1
  /// Values, missing ones and empty lists included.
  package var valueCount = 0
  package var compressedSize = 0
  package var uncompressedSize = 0
  var dataOffset = 0
  var dictionaryOffset: Int?
  /// Set when the data is in another file.
  var externalFile: String?
  var isEncrypted = false

  init(reading reader: inout ThriftReader) throws(ParquetError) {
    var hasMetadata = false
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      switch (field, kind) {
      case (1, .binary): externalFile = try reader.string("file_path")
      case (3, .structure):
        hasMetadata = true
        try readMetadata(&reader)
      case (8, _), (9, _):
        isEncrypted = true
        return false
      default: return false
      }
      return true
    }
    guard hasMetadata || isEncrypted else { throw reader.fail(.missing(field: "meta_data")) }
  }

  private mutating func readMetadata(_ reader: inout ThriftReader) throws(ParquetError) {
    var seen: Set<Int> = []
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      seen.insert(field)
      switch field {
      case 1: type = try reader.integer("type", kind)
      case 4: codecNumber = try reader.integer("codec", kind)
      case 5: valueCount = try reader.count("num_values", kind)
      case 6: uncompressedSize = try reader.count("total_uncompressed_size", kind)
      case 7: compressedSize = try reader.count("total_compressed_size", kind)
      case 9: dataOffset = try reader.count("data_page_offset", kind)
      case 11: dictionaryOffset = try reader.count("dictionary_page_offset", kind)
      default: return false
      }
      return true
    }
    let needed = [
      (1, "type"), (4, "codec"), (5, "num_values"), (7, "total_compressed_size"),
      (9, "data_page_offset"),
    ]
    for (field, name) in needed where !seen.contains(field) {
      throw reader.fail(.missing(field: name))
    }
  }

  /// Position of the first page. Some writers say 0 for a dictionary that is not there.
  var start: Int {
    guard let dictionaryOffset, dictionaryOffset >= 4, dictionaryOffset < dataOffset else {
      return dataOffset
    }
    return dictionaryOffset
  }

  /// PQ-8: the bytes of the chunk's pages, within `4..<limit`.
  func range(limit: Int) throws(ParquetProblem) -> Range<Int> {
    if let externalFile { throw .externalFile(externalFile) }
    if isEncrypted { throw .encrypted }
    let (end, overflow) = start.addingReportingOverflow(compressedSize)
    guard !overflow, start >= 4, end <= limit else {
      throw .chunkRange(start: start, byteCount: compressedSize, limit: limit)
    }
    return start..<end
  }

  /// The codec's name in the format's own spelling.
  package var codecName: String {
    let names = ["UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"]
    return names.indices.contains(codecNumber) ? names[codecNumber] : "\(codecNumber)"
  }
}
