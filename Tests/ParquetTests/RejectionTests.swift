import ByteIO
import JSON
import TestSupport
import Testing

@testable import Parquet

/// A malformed file and what must be said of it.
struct Rejected: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var bytes: [UInt8]
  var problem: ParquetProblem

  init(_ what: String, _ bytes: [UInt8], _ problem: ParquetProblem) {
    testDescription = "pq.\(problem.rule): \(what)"
    self.bytes = bytes
    self.problem = problem
  }

  /// A file that is right but for one change.
  init(_ what: String, _ problem: ParquetProblem, _ change: (inout ParquetBytes) -> Void) {
    var file = ParquetBytes()
    change(&file)
    self.init(what, file.bytes, problem)
  }
}

@Suite("Parquet rejects")
struct RejectionTests {
  private func check(_ sample: Rejected) {
    let error = #expect(throws: ParquetError.self) {
      _ = try ParquetFile(ByteRegion(sample.bytes, path: "test.parquet")).rows()
    }
    #expect(error?.problem == sample.problem)
    #expect(error?.code == "pq." + sample.problem.rule)
    #expect(error?.path == "test.parquet")
    #expect(error?.message.isEmpty == false)
  }

  @Test("nothing of the file that the others are made from")
  func accepted() throws {
    let rows = try ParquetFile(ByteRegion(ParquetBytes().bytes)).rows()
    #expect(rows == [["text": "x"]])
  }

  @Test("PQ-1, PQ-2, PQ-4: the frame", arguments: frame)
  func rejectsFrame(_ sample: Rejected) { check(sample) }

  @Test("PQ-3: Thrift", arguments: thrift)
  func rejectsThrift(_ sample: Rejected) { check(sample) }

  @Test("PQ-5, PQ-6: the schema", arguments: schema)
  func rejectsSchema(_ sample: Rejected) { check(sample) }

  @Test("PQ-7, PQ-8, PQ-9: row groups and column chunks", arguments: groups)
  func rejectsGroups(_ sample: Rejected) { check(sample) }

  @Test("PQ-10, PQ-11, PQ-12, PQ-21: pages", arguments: pages)
  func rejectsPages(_ sample: Rejected) { check(sample) }

  static let frame: [Rejected] = [
    .init("nothing", [], .notParquet),
    .init("a text", Array("hello, this is text".utf8), .notParquet),
    .init("an encrypted footer", Array("PARE1234PARE".utf8), .encrypted),
    .init("a file cut short", Array(ParquetBytes().bytes.dropLast()), .truncatedFile),
    .init("magic alone", Array("PAR1PAR1".utf8), .truncatedFile),
    .init(
      "a footer before the file", Array("PAR1".utf8) + [9, 0, 0, 0] + Array("PAR1".utf8),
      .footerPastEnd(byteCount: 9, limit: 0)),
    .init("encrypted columns", .encrypted) { $0.footerExtra = [(8, .fields([]))] },
    .init("an encrypted column", .encrypted) { $0.chunkExtra = [(8, .fields([]))] },
  ]

  private static func footer(_ bytes: [UInt8]) -> [UInt8] { ParquetBytes.file([], bytes) }

  static let thrift: [Rejected] = [
    .init("an empty footer", footer([]), .thriftEnd),
    .init("a field without a value", footer([0x16]), .thriftEnd),
    .init("a string past the end", footer([0x68, 0x20, 0x41]), .thriftEnd),
    .init(
      "an endless number", footer([0x36] + [UInt8](repeating: 0xFF, count: 11)), .thriftVarint),
    .init("type 14", footer([0x1E, 0]), .thriftType(14)),
    .init(
      "a list of 2^62", footer([0x29, 0xFC] + varint(1 << 62)), .thriftCount(1 << 62, left: 0)),
    .init(
      "structures without end", footer([UInt8](repeating: 0x1C, count: 99)), .thriftDepth(limit: 32)
    ),
    .init(
      "lists without end", footer([0x19] + [UInt8](repeating: 0x19, count: 99)),
      .thriftDepth(limit: 32)),
    .init("rows as a string", footer([0x38, 0]), .wrongType(field: "num_rows")),
    .init("a schema of numbers", footer([0x29, 0x15, 2]), .wrongType(field: "schema")),
    .init("fewer than no rows", footer([0x36, 0x01]), .negative(field: "num_rows", -1)),
    .init("no schema", footer([0]), .missing(field: "schema")),
    .init("a name that is no UTF-8", .notUTF8(field: "name")) {
      $0.element[2].1 = .raw(kind: 8, [1, 0xFF])
    },
    .init("no name", .missing(field: "name")) { $0.element.removeLast() },
    .init("no row groups", footer([0x29, 0x0C, 0x16, 0x00, 0]), .missing(field: "row_groups")),
    .init("a chunk without an offset", .missing(field: "num_values")) {
      $0.groups = [
        .fields([
          (1, .list(12, [.fields([(3, .fields([(1, .int(6)), (4, .int(0))]))])])), (3, .int(1)),
        ])
      ]
    },
  ]

  private static func group(_ name: String, children: Int) -> Thrift {
    .fields([(3, .int(0)), (4, .text(name)), (5, .int(children))])
  }

  static let schema: [Rejected] = [
    .init("no columns", .schemaEmpty) {
      $0.schema = []
      $0.rootChildren = 0
    },
    .init("a column that is not there", .schemaChildren(name: "schema", count: 2, left: 1)) {
      $0.rootChildren = 2
    },
    .init("an element too many", .schemaExtra(count: 1)) {
      $0.schema = [.fields($0.element), .fields($0.element)]
    },
    .init("too deep", .schemaDepth(limit: 32)) {
      $0.schema = (0..<40).map { group("g\($0)", children: 1) } + [.fields($0.element)]
    },
    .init("two of a name", .duplicateColumn("text")) {
      $0.schema = [.fields($0.element), .fields($0.element)]
      $0.rootChildren = 2
    },
    .init("type 8", .elementType(name: "text", 8)) { $0.element[0].1 = .int(8) },
    .init("a group without children", .elementType(name: "text", -1)) { $0.element.removeFirst() },
    .init("repetition 3", .repetition(name: "text", 3)) { $0.element[1].1 = .int(3) },
    .init("values of no bytes", .typeLength(name: "text", 0)) { $0.element[0].1 = .int(7) },
    .init("values of 2^31 bytes", .typeLength(name: "text", 1 << 31)) {
      $0.element[0].1 = .int(7)
      $0.element.append((2, .int(1 << 31)))
    },
    .init("a decimal of 10^-99", .decimalScale(name: "text", 99)) {
      $0.element += [(6, .int(5)), (7, .int(99))]
    },
  ]

  static let groups: [Rejected] = [
    .init("no chunk", .chunkCount(0, columns: 1)) {
      $0.groups = [.fields([(1, .list(12, [])), (3, .int(1))])]
    },
    .init("rows that do not add up", .rowTotal(2, stated: 1)) { $0.rowsOfGroup = 2 },
    .init("2^63 rows", .rowTotal(.max, stated: 1 << 62)) {
      $0.rows = 1 << 62
      let chunk = Thrift.fields([(8, .fields([]))])
      let group = Thrift.fields([(1, .list(12, [chunk])), (3, .int(.max))])
      $0.groups = [group, group, group]
    },
    .init("another type", .chunkType(1, schema: 6)) { $0.type = 1 },
    .init("data elsewhere", .externalFile("part-1")) { $0.chunkExtra = [(1, .text("part-1"))] },
    .init("before the file", .chunkRange(start: 0, byteCount: 30, limit: 34)) {
      $0.chunkOffset = 0
    },
    .init("beyond the pages", .chunkRange(start: 4, byteCount: 1 << 40, limit: 34)) {
      $0.chunkSize = 1 << 40
    },
    .init("2^63 bytes", .chunkRange(start: 4, byteCount: .max, limit: 34)) { $0.chunkSize = .max },
    .init("LZO", .codec("LZO")) { $0.codec = 3 },
    .init("codec 9", .codec("9")) { $0.codec = 9 },
    .init("fewer values than rows", .rowCount(1, stated: 2)) { $0.rows = 2 },
  ]

  static let pages: [Rejected] = [
    .init("beyond the chunk", .pageSize(compressed: 99, uncompressed: 99, left: 5)) {
      $0.header = .fields([
        (1, .int(0)), (2, .int(99)), (3, .int(99)), (5, .fields([(1, .int(1)), (2, .int(0))])),
      ])
    },
    .init("unlike its own size", .pageSize(compressed: 5, uncompressed: 6, left: 5)) {
      $0.uncompressed = 6
    },
    .init("type 7", .pageType(7)) {
      $0.header = .fields([(1, .int(7)), (2, .int(5)), (3, .int(5))])
    },
    .init("no header of its type", .missing(field: "data_page_header")) {
      $0.header = .fields([(1, .int(0)), (2, .int(5)), (3, .int(5))])
    },
    .init("no sizes", .missing(field: "page size")) { $0.header = .fields([(1, .int(0))]) },
    .init("a size below zero", .negative(field: "compressed_page_size", -5)) {
      $0.header = .fields([(1, .int(0)), (2, .int(5)), (3, .int(-5))])
    },
    .init("another checksum", .checksum(stored: 7, computed: 2_778_474_403)) {
      $0.headerExtra = [(4, .int(7))]
    },
    .init("more values than stated", .valueTotal(2, stated: 1)) { $0.pageValues = 2 },
    .init("fewer values than stated", .valueTotal(1, stated: 2)) {
      $0.valueCount = 2
      $0.pageValues = 1
      $0.rows = 2
    },
    .init(
      "damaged Snappy",
      .decompression("damaged snappy data, or more of it than was stated")
    ) { $0.codec = 1 },
    .init(
      "Snappy of another size", .decompression("snappy data of 5 bytes, 9 were stated")
    ) {
      $0.codec = 1
      $0.page = [5, 16] + $0.page
      $0.uncompressed = 9
    },
    .init("a bomb's size", .pageTooLarge(byteCount: 1 << 29, limit: 1 << 23)) {
      $0.codec = 6
      $0.uncompressed = 1 << 29
    },
    .init("very many values in few bytes", .tooManyValues(1 << 30, limit: 1 << 22)) {
      $0.valueCount = 1 << 30
    },
  ]
}
