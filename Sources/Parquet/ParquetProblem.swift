package import ByteIO
import Compression

/// The rule of `formats/parquet.md` that a file breaks, with the values found and allowed.
package enum ParquetProblem: Error, Equatable, Sendable {
  /// The file could not be read.
  case file(FileError)
  /// PQ-1: the frame.
  case notParquet
  case truncatedFile
  /// PQ-2: the footer's length.
  case footerPastEnd(byteCount: Int, limit: Int)
  case footerTooLong(byteCount: Int, limit: Int)
  /// PQ-3: Thrift's compact protocol.
  case thriftEnd
  case thriftVarint
  case thriftType(UInt8)
  case thriftDepth(limit: Int)
  case thriftCount(Int, left: Int)
  case wrongType(field: String)
  case missing(field: String)
  case notUTF8(field: String)
  /// PQ-4: encryption.
  case encrypted
  /// PQ-5: the tree of the schema.
  case schemaEmpty
  case schemaChildren(name: String, count: Int, left: Int)
  case schemaDepth(limit: Int)
  case schemaExtra(count: Int)
  case tooManyColumns(limit: Int)
  case duplicateColumn(String)
  /// PQ-6: what an element of the schema is.
  case elementType(name: String, Int)
  case repetition(name: String, Int)
  case typeLength(name: String, Int)
  case decimalScale(name: String, Int)
  case physicalType(String)
  /// PQ-7: row groups.
  case chunkCount(Int, columns: Int)
  case negative(field: String, Int)
  case rowTotal(Int, stated: Int)
  case chunkType(Int, schema: Int)
  /// PQ-8: where a column chunk lies.
  case externalFile(String)
  case chunkRange(start: Int, byteCount: Int, limit: Int)
  case overlap(with: Int)
  /// PQ-9: compression.
  case codec(String)
  /// PQ-10: page headers.
  case pageSize(compressed: Int, uncompressed: Int, left: Int)
  case pageType(Int)
  case valueTotal(Int, stated: Int)
  /// PQ-11: a page's checksum.
  case checksum(stored: UInt32, computed: UInt32)
  /// PQ-12: decompression.
  case decompression(String)
  /// PQ-13: levels.
  case levelEncoding(String)
  case levelBytes(Int, left: Int)
  case level(Int, limit: Int)
  case firstLevel(Int)
  /// PQ-14: dictionaries.
  case dictionaryMissing
  case dictionaryTwice
  case dictionaryIndex(Int, count: Int)
  /// PQ-15: encodings.
  case encoding(String)
  /// PQ-16 and others: an encoded run of values ends too early.
  case valuesEnd(String, wanted: Int)
  case stringPastEnd(length: Int, left: Int)
  /// PQ-17: runs and bit-packed groups.
  case bitWidth(Int, limit: Int)
  case emptyRun
  /// PQ-18: deltas.
  case deltaHeader(String)
  case deltaCount(Int, expected: Int)
  case stringLength(Int)
  case prefix(Int, previous: Int)
  /// PQ-20: rows.
  case rowCount(Int, stated: Int)
  case unequalParts(Int, Int)
  /// PQ-21: limits.
  case pageTooLarge(byteCount: Int, limit: Int)
  case tooManyValues(Int, limit: Int)
  case tooMuchWork(limit: Int)
}

extension ParquetProblem {
  /// The code's part after `pq.`.
  var rule: String {
    switch self {
    case .file: "file"
    case .notParquet: "not_parquet"
    case .truncatedFile: "truncated_file"
    case .footerPastEnd: "footer_past_end"
    case .footerTooLong: "footer_too_long"
    case .thriftEnd: "truncated"
    case .thriftVarint: "varint"
    case .thriftType: "thrift_type"
    case .thriftDepth: "thrift_depth"
    case .thriftCount: "thrift_count"
    case .wrongType: "wrong_type"
    case .missing: "missing_field"
    case .notUTF8: "not_utf8"
    case .encrypted: "encrypted"
    case .schemaEmpty: "schema_empty"
    case .schemaChildren: "schema_children"
    case .schemaDepth: "schema_depth"
    case .schemaExtra: "schema_extra"
    case .tooManyColumns: "too_many_columns"
    case .duplicateColumn: "duplicate_column"
    case .elementType: "element_type"
    case .repetition: "repetition"
    case .typeLength: "type_length"
    case .decimalScale: "decimal_scale"
    case .physicalType: "physical_type"
    case .chunkCount: "chunk_count"
    case .negative: "negative"
    case .rowTotal: "row_total"
    case .chunkType: "chunk_type"
    case .externalFile: "external_file"
    case .chunkRange: "chunk_range"
    case .overlap: "overlap"
    case .codec: "codec"
    case .pageSize: "page_size"
    case .pageType: "page_type"
    case .valueTotal: "value_total"
    case .checksum: "checksum"
    case .decompression: "decompression"
    case .levelEncoding: "level_encoding"
    case .levelBytes: "level_bytes"
    case .level: "level"
    case .firstLevel: "first_level"
    case .dictionaryMissing: "dictionary_missing"
    case .dictionaryTwice: "dictionary_twice"
    case .dictionaryIndex: "dictionary_index"
    case .encoding: "encoding"
    case .valuesEnd: "values_end"
    case .stringPastEnd: "string_past_end"
    case .bitWidth: "bit_width"
    case .emptyRun: "empty_run"
    case .deltaHeader: "delta_header"
    case .deltaCount: "delta_count"
    case .stringLength: "string_length"
    case .prefix: "prefix"
    case .rowCount: "row_count"
    case .unequalParts: "unequal_parts"
    case .pageTooLarge: "page_too_large"
    case .tooManyValues: "too_many_values"
    case .tooMuchWork: "too_much_work"
    }
  }
}
