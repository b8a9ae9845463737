import JSON
import Testing

@testable import Columns

@Suite("columns")
struct ColumnTests {
  private func strings(_ values: [String]) -> ByteStrings {
    var strings = ByteStrings()
    for value in values {
      let bytes = Array(value.utf8)
      strings.append(ByteStrings(storage: bytes, starts: [0], ends: [UInt32(bytes.count)]))
    }
    return strings
  }

  @Test("strings are ranges of one storage")
  func byteStrings() {
    let all = strings(["a", "", "bc", "def"])
    #expect(all.count == 4 && all.byteCount == 6)
    #expect(all.gathering([3, 3, 1]).byteCount == 6)
    #expect(Array(all.slice(2..<4)[1]) == Array("def".utf8))
    #expect(all.spread([true, false, true, true, false, true]).count == 6)
    #expect(Array(all.spread([false, true])[1]) == Array("a".utf8))
  }

  @Test("a list of structures as JSON")
  func lists() {
    let texts = Column(
      count: 3, isThere: [true, false, true], .primitive(.bytes(strings(["x", "", "y"]))))
    let numbers = Column(count: 3, .primitive(.integers([-1, 2, 3])))
    let column = Column(
      count: 3, isThere: [true, false, true],
      .list(offsets: [0, 2, 2, 3], Column(count: 3, .structure([texts, numbers]))))
    let type = FieldType.list(
      Field(
        "element",
        .structure([
          Field("t", .primitive(.text)),
          Field("n", .primitive(.integer(bits: 64, isSigned: false))),
        ])))
    #expect(
      column.json(0, type) == [
        ["t": "x", "n": .number(JSONNumber(text: "18446744073709551615"))],
        ["t": .null, "n": 2],
      ])
    #expect(column.json(1, type) == .null)
    #expect(column.json(2, type) == [["t": "y", "n": 3]])
  }

  @Test(
    "decimals keep every digit",
    arguments: [(0, 2, "0.00"), (5, 2, "0.05"), (-12345, 3, "-12.345"), (7, 0, "7")])
  func decimals(value: Int, scale: Int, text: String) {
    let type = FieldType.primitive(.decimal(scale: scale))
    let integers = Column(count: 1, .primitive(.integers([Int64(value)])))
    #expect(integers.json(0, type) == .number(JSONNumber(text: text)))
    let bytes = (0..<8).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    let strings = ByteStrings(storage: bytes, starts: [0], ends: [8])
    let column = Column(count: 1, .primitive(.bytes(strings)))
    #expect(column.json(0, type) == .number(JSONNumber(text: text)))
  }

  @Test("bytes that are no text")
  func binary() {
    let strings = ByteStrings(storage: [0xFF, 0x01], starts: [0], ends: [2])
    let column = Column(count: 1, .primitive(.bytes(strings)))
    #expect(column.json(0, .primitive(.binary)) == "0xff01")
  }
}
