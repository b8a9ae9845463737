import Arrow
import ByteIO
package import JSON
import Parquet

/// Records of a file, one after another.
package protocol RecordSource {
  /// The next record; nil at the end.
  ///
  /// - Throws: A `DataError` that is of one record lets reading go on with the next.
  mutating func next() throws -> Record?
}

/// A record and where it stands.
package struct Record {
  package var object: JSONObject
  package var place: DataError.Place

  package init(_ object: JSONObject, _ place: DataError.Place) {
    self.object = object
    self.place = place
  }
}

/// Opens a file of records.
///
/// - Parameters:
///   - fields: Names that will be asked for; a file of columns reads no others, nil reads all.
///   - group: The row group of a file of columns that is read; nil reads all.
package func recordSource(
  _ path: String, _ kind: DataKind, fields: [String]? = nil, group: Int? = nil
) throws -> any RecordSource {
  switch kind {
  case .json: try JSONArrayRecords(path)
  case .csv: try TableRecords(path, separator: UInt8(ascii: ","))
  case .tsv: try TableRecords(path, separator: UInt8(ascii: "\t"))
  case .parquet:
    try ColumnRecords(ParquetFile(ByteRegion(path: path)), fields: fields, group: group)
  case .arrow: try ColumnRecords(ArrowFile(ByteRegion(path: path)), fields: fields, group: group)
  case .tar: try ArchiveRecords(path)
  case .mds: try MDSRecords(path)
  default: try LineRecords(path)
  }
}

/// Row groups of a file of columns; nil for other files, which are read from their start.
func groupCount(of path: String, _ kind: DataKind) throws -> Int? {
  switch kind {
  case .parquet: try ParquetFile(ByteRegion(path: path)).groupRowCounts.count
  case .arrow: try ArrowFile(ByteRegion(path: path)).groupRowCounts.count
  default: nil
  }
}
