import ByteIO

/// A value of Thrift's compact protocol, in the making.
enum Thrift: Sendable {
  case flag(Bool)
  case int(Int)
  case text(String)
  case list(UInt8, [Thrift])
  case fields([(Int, Thrift)])
  /// Bytes as they are, called type `kind`.
  case raw(kind: UInt8, [UInt8])

  private var kind: UInt8 {
    switch self {
    case .flag(let value): value ? 1 : 2
    case .int: 6
    case .text: 8
    case .list: 9
    case .fields: 12
    case .raw(let kind, _): kind
    }
  }

  var bytes: [UInt8] {
    switch self {
    case .flag: return []
    case .int(let value): return varint(UInt64(bitPattern: Int64(value << 1 ^ value >> 63)))
    case .text(let text): return varint(UInt64(text.utf8.count)) + Array(text.utf8)
    case .list(let kind, let elements):
      return [0xF0 | kind] + varint(UInt64(elements.count)) + elements.flatMap(\.bytes)
    case .fields(let fields):
      // Every field's number stands in full.
      return fields.flatMap { [$1.kind] + Thrift.int($0).bytes + $1.bytes } + [0]
    case .raw(_, let bytes): return bytes
    }
  }
}

func varint(_ value: UInt64) -> [UInt8] {
  var (rest, bytes) = (value, [UInt8]())
  while rest >= 0x80 {
    bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
    rest >>= 7
  }
  return bytes + [UInt8(rest)]
}

/// A Parquet file with one column and one page; every field can be made to lie.
struct ParquetBytes: Sendable {
  /// Column `text`, of one required string by default.
  var element: [(Int, Thrift)] = [(1, .int(6)), (3, .int(0)), (4, .text("text"))]
  /// Elements of the schema after the root; nil for `element` alone.
  var schema: [Thrift]?
  var rootChildren = 1
  var type = 6
  var codec = 0
  var valueCount = 1
  var rows = 1
  var rowsOfGroup: Int?
  var dictionary: [UInt8]?
  /// The page's bytes after its header.
  var page: [UInt8] = [1, 0, 0, 0, UInt8(ascii: "x")]
  var uncompressed: Int?
  var encoding = 0
  var pageValues: Int?
  /// Replaces the page's header.
  var header: Thrift?
  var headerExtra: [(Int, Thrift)] = []
  /// More fields of the column's metadata, of its chunk and of the footer.
  var metadataExtra: [(Int, Thrift)] = []
  var chunkExtra: [(Int, Thrift)] = []
  var footerExtra: [(Int, Thrift)] = []
  var chunkSize: Int?
  var chunkOffset: Int?
  var groups: [Thrift]?

  private var pageHeader: Thrift {
    header
      ?? .fields(
        [
          (1, .int(0)), (2, .int(uncompressed ?? page.count)), (3, .int(page.count)),
          (
            5,
            .fields([
              (1, .int(pageValues ?? valueCount)), (2, .int(encoding)), (3, .int(3)), (4, .int(3)),
            ])
          ),
        ] + headerExtra)
  }

  private var pages: [UInt8] {
    var bytes: [UInt8] = []
    if let dictionary {
      bytes +=
        Thrift.fields([
          (1, .int(2)), (2, .int(dictionary.count)), (3, .int(dictionary.count)),
          (7, .fields([(1, .int(1)), (2, .int(0))])),
        ]).bytes + dictionary
    }
    return bytes + pageHeader.bytes + page
  }

  private var group: Thrift {
    let metadata: [(Int, Thrift)] =
      [
        (1, .int(type)), (4, .int(codec)), (5, .int(valueCount)),
        (7, .int(chunkSize ?? pages.count)), (9, .int(chunkOffset ?? 4)),
      ] + metadataExtra
    return .fields([
      (1, .list(12, [.fields([(3, .fields(metadata))] + chunkExtra)])),
      (3, .int(rowsOfGroup ?? rows)),
    ])
  }

  var footer: [UInt8] {
    let root = Thrift.fields([(4, .text("schema")), (5, .int(rootChildren))])
    return Thrift.fields(
      [
        (1, .int(1)), (2, .list(12, [root] + (schema ?? [.fields(element)]))), (3, .int(rows)),
        (4, .list(12, groups ?? [group])),
      ] + footerExtra
    ).bytes
  }

  var bytes: [UInt8] { Self.file(pages, footer) }

  static func file(_ pages: [UInt8], _ footer: [UInt8]) -> [UInt8] {
    let magic = Array("PAR1".utf8)
    return magic + pages + footer + littleEndian(footer.count) + magic
  }

  static func littleEndian(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
