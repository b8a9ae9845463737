/// The footer's content, as it stands there.
struct FileMetadata {
  var schema: [SchemaElement] = []
  var rowCount = 0
  var rowGroups: [RowGroup] = []
  var createdBy: String?

  init(_ reader: inout ThriftReader) throws(ParquetError) {
    var rows: Int?
    var isEncrypted = false
    var (hasSchema, hasGroups) = (false, false)
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      switch (field, kind) {
      case (2, .list):
        hasSchema = true
        schema = try reader.list("schema", of: .structure, SchemaElement.init(reading:))
      case (3, _): rows = try reader.count("num_rows", kind)
      case (4, .list):
        hasGroups = true
        rowGroups = try reader.list("row_groups", of: .structure, RowGroup.init(reading:))
      case (6, .binary): createdBy = try reader.string("created_by")
      case (8, _):
        isEncrypted = true
        return false
      default: return false
      }
      return true
    }
    // PQ-4: an algorithm in a plain footer means that columns are encrypted.
    if isEncrypted { throw reader.fail(.encrypted) }
    guard hasSchema else { throw reader.fail(.missing(field: "schema")) }
    guard hasGroups else { throw reader.fail(.missing(field: "row_groups")) }
    guard let rows else { throw reader.fail(.missing(field: "num_rows")) }
    rowCount = rows
  }
}

/// One element of the flattened schema tree.
struct SchemaElement {
  var name = ""
  /// Physical type; nil for a group.
  var type: Int?
  var typeLength = 0
  /// 0 required, 1 optional, 2 repeated.
  var repetition: Int?
  var childCount = 0
  var convertedType: Int?
  var scale = 0
  var logicalType: LogicalType?

  init(reading reader: inout ThriftReader) throws(ParquetError) {
    var found: String?
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      switch field {
      case 1: type = try reader.integer("type", kind)
      case 2: typeLength = try reader.integer("type_length", kind)
      case 3: repetition = try reader.integer("repetition_type", kind)
      case 4: found = try reader.string("name", kind)
      case 5: childCount = try reader.count("num_children", kind)
      case 6: convertedType = try reader.integer("converted_type", kind)
      case 7: scale = try reader.integer("scale", kind)
      case 10 where kind == .structure: logicalType = try LogicalType(reading: &reader)
      default: return false
      }
      return true
    }
    guard let found else { throw reader.fail(.missing(field: "name")) }
    name = found
  }
}

/// What a physical type means; a union, of which one field is set.
enum LogicalType: Equatable {
  case string, map, list, enumeration, date, time, timestamp, unknown, json, bson, uuid, float16
  case decimal(scale: Int)
  case integer(bits: Int, isSigned: Bool)
  /// A type that this reader does not know; the physical one is used.
  case other

  init(reading reader: inout ThriftReader) throws(ParquetError) {
    var result = Self.other
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      let plain: [Int: Self] = [
        1: .string, 2: .map, 3: .list, 4: .enumeration, 6: .date, 7: .time, 8: .timestamp,
        11: .unknown, 12: .json, 13: .bson, 14: .uuid, 15: .float16,
      ]
      if let type = plain[field] { result = type }
      guard kind == .structure else { return false }
      switch field {
      case 5: result = .decimal(scale: try Self.decimalScale(&reader))
      case 10: result = try Self.integer(&reader)
      default: return false
      }
      return true
    }
    self = result
  }

  private static func decimalScale(_ reader: inout ThriftReader) throws(ParquetError) -> Int {
    var scale = 0
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      if field == 1 { scale = try reader.integer("scale", kind) }
      return field == 1
    }
    return scale
  }

  private static func integer(_ reader: inout ThriftReader) throws(ParquetError) -> Self {
    var (bits, isSigned) = (0, true)
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      switch field {
      case 1: bits = try reader.integer("bitWidth", kind)
      case 2: isSigned = try reader.boolean("isSigned", kind)
      default: return false
      }
      return true
    }
    return .integer(bits: bits, isSigned: isSigned)
  }
}
