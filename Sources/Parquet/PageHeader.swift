/// What stands before a page; rule PQ-10.
struct PageHeader {
  enum Kind: Equatable {
    case data(DataPage)
    case dictionary(valueCount: Int, encoding: Int)
    /// A page that nobody needs.
    case index
  }

  /// A data page of either version.
  struct DataPage: Equatable {
    var valueCount = 0
    var encoding = 0
    /// Version 1: how levels are encoded.
    var levelEncodings: (repetition: Int, definition: Int) = (3, 3)
    /// Version 2: bytes of levels, which stand before the values and are never compressed.
    var levelBytes: (repetition: Int, definition: Int)?
    var isCompressed = true

    static func == (a: Self, b: Self) -> Bool {
      a.valueCount == b.valueCount && a.encoding == b.encoding
    }
  }

  var kind = Kind.index
  var compressedSize = 0
  var uncompressedSize = 0
  var checksum: UInt32?
  /// Bytes of the header itself.
  var byteCount = 0

  init(reading reader: inout ThriftReader) throws(ParquetError) {
    var (type, sizes): (Int?, (Int?, Int?)) = (nil, (nil, nil))
    var (data, dictionary): (Kind?, Kind?) = (nil, nil)
    let start = reader.position
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      switch (field, kind) {
      case (1, _): type = try reader.integer("type", kind)
      case (2, _): sizes.0 = try reader.count("uncompressed_page_size", kind)
      case (3, _): sizes.1 = try reader.count("compressed_page_size", kind)
      case (4, _): checksum = UInt32(truncatingIfNeeded: try reader.integer("crc", kind))
      case (5, .structure): data = .data(try DataPage(version1: &reader))
      case (7, .structure): dictionary = try Self.dictionary(&reader)
      case (8, .structure): data = .data(try DataPage(version2: &reader))
      default: return false
      }
      return true
    }
    guard let uncompressed = sizes.0, let compressed = sizes.1 else {
      throw reader.fail(.missing(field: "page size"))
    }
    (uncompressedSize, compressedSize) = (uncompressed, compressed)
    byteCount = reader.position - start
    switch type {
    case 1: kind = .index
    case 0, 3:
      guard let data else { throw reader.fail(.missing(field: "data_page_header")) }
      kind = data
    case 2:
      guard let dictionary else { throw reader.fail(.missing(field: "dictionary_page_header")) }
      kind = dictionary
    default: throw reader.fail(.pageType(type ?? -1))
    }
  }

  private static func dictionary(_ reader: inout ThriftReader) throws(ParquetError) -> Kind {
    var (count, encoding) = (0, 0)
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      switch field {
      case 1: count = try reader.count("num_values", kind)
      case 2: encoding = try reader.integer("encoding", kind)
      default: return false
      }
      return true
    }
    return .dictionary(valueCount: count, encoding: encoding)
  }
}

extension PageHeader.DataPage {
  init(version1 reader: inout ThriftReader) throws(ParquetError) {
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      switch field {
      case 1: valueCount = try reader.count("num_values", kind)
      case 2: encoding = try reader.integer("encoding", kind)
      case 3: levelEncodings.definition = try reader.integer("definition_level_encoding", kind)
      case 4: levelEncodings.repetition = try reader.integer("repetition_level_encoding", kind)
      default: return false
      }
      return true
    }
  }

  init(version2 reader: inout ThriftReader) throws(ParquetError) {
    var levels = (repetition: 0, definition: 0)
    try reader.structure { (reader, field, kind) throws(ParquetError) in
      switch field {
      case 1: valueCount = try reader.count("num_values", kind)
      case 4: encoding = try reader.integer("encoding", kind)
      case 5: levels.definition = try reader.count("definition_levels_byte_length", kind)
      case 6: levels.repetition = try reader.count("repetition_levels_byte_length", kind)
      case 7: isCompressed = try reader.boolean("is_compressed", kind)
      default: return false
      }
      return true
    }
    levelBytes = levels
  }
}
