import ByteIO
import TestSupport
import Testing

@testable import Parquet

@Suite("Parquet values rejected")
struct ValueTests {
  private func check(_ sample: Rejected) {
    let error = #expect(throws: ParquetError.self) {
      _ = try ParquetFile(ByteRegion(sample.bytes, path: "test.parquet")).rows()
    }
    #expect(error?.problem == sample.problem)
    #expect(error?.place == .init(rowGroup: 0, column: "text"))
    #expect((error?.position ?? -1) >= 4)
    #expect(error?.message.contains("column text") == true)
  }

  @Test("PQ-13, PQ-17: levels", arguments: levels)
  func rejectsLevels(_ sample: Rejected) { check(sample) }

  @Test("PQ-14, PQ-15, PQ-16, PQ-19: dictionaries and plain values", arguments: values)
  func rejectsValues(_ sample: Rejected) { check(sample) }

  @Test("PQ-18: deltas", arguments: deltas)
  func rejectsDeltas(_ sample: Rejected) { check(sample) }

  @Test("PQ-20: parts of one structure that disagree")
  func unequalParts() throws {
    // list<struct<a, b>>: a has two elements in its list, b one.
    func leaf(_ name: String) -> Thrift {
      .fields([(1, .int(0)), (3, .int(0)), (4, .text(name))])
    }
    func page(_ levels: [UInt8], _ values: Int) -> [UInt8] {
      let level = ParquetBytes.littleEndian(levels.count) + levels
      let page = level + ParquetBytes.littleEndian(2) + [UInt8(values << 1), 1] + [1]
      return Thrift.fields([
        (1, .int(0)), (2, .int(page.count)), (3, .int(page.count)),
        (5, .fields([(1, .int(values)), (2, .int(0)), (3, .int(3)), (4, .int(3))])),
      ]).bytes + page
    }
    let (a, b) = (page([3, 0b10], 2), page([2, 0], 1))
    func chunk(_ start: Int, _ size: Int, _ values: Int) -> Thrift {
      .fields([
        (
          3,
          .fields([
            (1, .int(0)), (4, .int(0)), (5, .int(values)), (7, .int(size)), (9, .int(start)),
          ])
        )
      ])
    }
    var file = ParquetBytes()
    file.schema = [
      .fields([(3, .int(2)), (4, .text("l")), (5, .int(2))]), leaf("a"), leaf("b"),
    ]
    file.groups = [
      .fields([
        (1, .list(12, [chunk(4, a.count, 2), chunk(4 + a.count, b.count, 1)])), (3, .int(1)),
      ])
    ]
    let bytes = ParquetBytes.file(a + b, file.footer)
    let error = #expect(throws: ParquetError.self) { _ = try ParquetFile(ByteRegion(bytes)).rows() }
    #expect(error?.problem == .unequalParts(2, 1))
    #expect(error?.place == .init(rowGroup: 0, column: "l"))
  }

  @Test("PQ-8: two chunks that share bytes")
  func overlap() {
    var file = ParquetBytes()
    let metadata = Thrift.fields([
      (1, .int(6)), (4, .int(0)), (5, .int(1)), (7, .int(30)), (9, .int(4)),
    ])
    let group = Thrift.fields([(1, .list(12, [.fields([(3, metadata)])])), (3, .int(1))])
    file.groups = [group, group]
    file.rows = 2
    let error = #expect(throws: ParquetError.self) { _ = try ParquetFile(ByteRegion(file.bytes)) }
    #expect(error?.problem == .overlap(with: 4))
  }

  @Test("PQ-21: strings that share prefixes unfold to more than their row group may")
  func prefixBomb() {
    // The first string has 100,000 bytes, each further one shares them all.
    let count = 120_000
    var file = ParquetBytes()
    file.valueCount = count
    file.rows = count
    file.encoding = 7
    var prefixes = varint(128) + varint(4) + varint(UInt64(count)) + varint(0)
    var lengths = varint(128) + varint(4) + varint(UInt64(count)) + varint(200_000)
    // Value 1 is reached by one delta of 17 bits, the rest by none.
    prefixes += block(first: 100_000)
    lengths += block(first: -100_000)
    for _ in 0..<(count / 128) {
      prefixes += [0, 0, 0, 0, 0]
      lengths += [0, 0, 0, 0, 0]
    }
    file.page = prefixes + lengths + [UInt8](repeating: 65, count: 100_000)
    let error = #expect(throws: ParquetError.self) {
      _ = try ParquetFile(ByteRegion(file.bytes)).rows()
    }
    guard case .tooMuchWork = error?.problem else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.kind == .resourceLimit)
  }

  /// A block of 128 deltas, all zero but the first.
  private func block(first: Int) -> [UInt8] {
    let smallest = min(first, 0)
    var bytes =
      varint(UInt64(bitPattern: Int64(smallest << 1 ^ smallest >> 63))) + [32, 32, 32, 32]
    for i in 0..<128 {
      bytes += ParquetBytes.littleEndian((i == 0 ? first : 0) - smallest)
    }
    return bytes
  }

  private static func optional(_ page: [UInt8]) -> (inout ParquetBytes) -> Void {
    {
      $0.element[1].1 = .int(1)
      $0.page = page
    }
  }

  static let levels: [Rejected] = [
    .init("longer than the page", .levelBytes(99, left: 1), optional([99, 0, 0, 0, 2])),
    .init("no length", .valuesEnd("levels", wanted: 4), optional([2, 0])),
    .init("above what is possible", .level(2, limit: 1), optional([2, 0, 0, 0, 2, 2])),
    .init("a run of nothing", .emptyRun, optional([2, 0, 0, 0, 0, 1])),
    .init("groups of nothing", .emptyRun, optional([1, 0, 0, 0, 1])),
    .init("a run without its value", .valuesEnd("runs", wanted: 1), optional([1, 0, 0, 0, 2])),
    .init("groups cut short", .valuesEnd("runs", wanted: 1), optional([1, 0, 0, 0, 3])),
    .init("bit-packed levels", .levelEncoding("BIT_PACKED")) {
      optional([2, 0, 0, 0, 2, 0])(&$0)
      $0.header = .fields([
        (1, .int(0)), (2, .int(6)), (3, .int(6)),
        (5, .fields([(1, .int(1)), (2, .int(0)), (3, .int(4)), (4, .int(4))])),
      ])
    },
    .init("version 2: longer than the page", .levelBytes(9, left: 5)) {
      optional($0.page)(&$0)
      $0.header = .fields([
        (1, .int(3)), (2, .int(5)), (3, .int(5)),
        (8, .fields([(1, .int(1)), (2, .int(0)), (3, .int(1)), (4, .int(0)), (5, .int(9))])),
      ])
    },
    .init("a list that begins in its middle", .firstLevel(1)) {
      $0.element[1].1 = .int(2)
      $0.page = [2, 0, 0, 0, 2, 1, 2, 0, 0, 0, 2, 1, 1, 0, 0, 0, 65]
    },
  ]

  static let values: [Rejected] = [
    .init("a string past the end", .stringPastEnd(length: 9, left: 1)) { $0.page[0] = 9 },
    .init("a string of 2^32 - 1", .stringPastEnd(length: 0xFFFF_FFFF, left: 1)) {
      $0.page.replaceSubrange(0..<4, with: [255, 255, 255, 255])
    },
    .init("no room for the lengths", .valuesEnd("values", wanted: 1)) { $0.page = [1, 0] },
    .init("indices without a dictionary", .dictionaryMissing) { $0.encoding = 8 },
    .init("an index beyond the dictionary", .dictionaryIndex(1, count: 1)) {
      $0.dictionary = $0.page
      $0.encoding = 8
      $0.page = [1, 2, 1]
    },
    .init("indices of 33 bits", .bitWidth(33, limit: 32)) {
      $0.dictionary = $0.page
      $0.encoding = 8
      $0.page = [33, 2, 0]
    },
    .init("a second dictionary", .dictionaryTwice) {
      $0.dictionary = $0.page
      $0.header = .fields([
        (1, .int(2)), (2, .int(5)), (3, .int(5)), (7, .fields([(1, .int(1)), (2, .int(0))])),
      ])
    },
    .init("encoding 4", .encoding("BIT_PACKED")) { $0.encoding = 4 },
    .init("encoding 77", .encoding("77")) { $0.encoding = 77 },
    .init("deltas of strings", .encoding("DELTA_BINARY_PACKED")) { $0.encoding = 5 },
    .init("split strings", .encoding("BYTE_STREAM_SPLIT")) { $0.encoding = 9 },
    .init("integers cut short", .valuesEnd("values", wanted: 1)) {
      ($0.element[0].1, $0.type) = (.int(1), 1)
      $0.page = [1, 2, 3]
    },
    .init("split integers cut short", .valuesEnd("values", wanted: 1)) {
      ($0.element[0].1, $0.type, $0.encoding) = (.int(1), 1, 9)
      $0.page = [1, 2, 3]
    },
    .init("booleans cut short", .valuesEnd("values", wanted: 9)) {
      ($0.element[0].1, $0.type, $0.valueCount, $0.rows) = (.int(0), 0, 9, 9)
      $0.page = [1]
    },
  ]

  private static func delta(_ page: [UInt8], count: Int = 1) -> (inout ParquetBytes) -> Void {
    {
      ($0.element[0].1, $0.type, $0.encoding) = (.int(2), 2, 5)
      ($0.valueCount, $0.rows, $0.page) = (count, count, page)
    }
  }

  static let deltas: [Rejected] = [
    .init("no header", .valuesEnd("deltas", wanted: 1), delta([])),
    .init("blocks of 100", .deltaHeader("blocks of 100 values"), delta([100, 4, 1, 0])),
    .init("blocks of none", .deltaHeader("blocks of 0 values"), delta([0, 4, 1, 0])),
    .init(
      "no miniblocks", .deltaHeader("0 miniblocks in a block of 128 values"),
      delta([128, 1, 0, 1, 0])),
    .init(
      "miniblocks of 16", .deltaHeader("8 miniblocks in a block of 128 values"),
      delta([128, 1, 8, 1, 0])),
    .init("another count", .deltaCount(2, expected: 1), delta([128, 1, 4, 2, 0])),
    .init("65 bits", .bitWidth(65, limit: 64), delta([128, 1, 4, 2, 0, 0, 65, 0, 0, 0], count: 2)),
    .init(
      "a miniblock cut short", .valuesEnd("deltas", wanted: 32),
      delta([128, 1, 4, 2, 0, 0, 8, 0, 0, 0], count: 2)),
    .init("a string of less than nothing", .stringLength(-1)) {
      $0.encoding = 6
      $0.page = [128, 1, 4, 1, 1]
    },
    .init("a string past the end", .stringPastEnd(length: 2, left: 1)) {
      $0.encoding = 6
      $0.page = [128, 1, 4, 1, 4, 65]
    },
    .init("a prefix of nothing", .prefix(1, previous: 0)) {
      $0.encoding = 7
      $0.page = [128, 1, 4, 1, 2, 128, 1, 4, 1, 0]
    },
  ]
}
