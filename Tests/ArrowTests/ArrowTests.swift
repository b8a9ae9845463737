import ByteIO
import Columns
import Foundation
import JSON
import TestSupport
import Testing

@testable import Arrow

private func fixtureBytes(_ name: String) throws -> [UInt8] {
  Array(try Data(contentsOf: URL(filePath: Fixtures.path("arrow/" + name))))
}

private func expectedRows(_ name: String) throws -> [JSONValue] {
  try fixtureBytes(name + ".jsonl").split(separator: 0x0A).map {
    try JSONValue(parsing: Array($0))
  }
}

extension ArrowFile {
  /// All rows as JSON objects.
  fileprivate func rows(_ names: [String] = []) throws -> [JSONValue] {
    let columns = fields.indices.filter { names.isEmpty || names.contains(fields[$0].name) }
    var rows: [JSONValue] = []
    for group in groupRowCounts.indices {
      var reader = try batches(of: group, columns: columns)
      while let batch = try reader.next() {
        for row in 0..<batch.rowCount {
          let members = zip(columns, batch.columns).map { index, column in
            JSONObject.Member(
              key: fields[index].name, value: column.json(row, fields[index].type))
          }
          rows.append(.object(JSONObject(members)))
        }
      }
    }
    return rows
  }
}

@Suite("Arrow")
struct ArrowTests {
  @Test(
    "AR-1, AR-3, AR-4, AR-5, AR-6: what pyarrow writes, file and stream, plain and compressed",
    arguments: ["records", "nested", "types"], [".arrow", ".arrows", "-lz4.arrow", "-zstd.arrows"])
  func reads(_ name: String, _ ending: String) throws {
    let found = try ArrowFile(ByteRegion(fixtureBytes(name + ending))).rows()
    let expected = try expectedRows(name)
    #expect(found.count == expected.count)
    for (i, (a, b)) in zip(found, expected).enumerated() where a != b {
      Issue.record("row \(i): \(a.text()), not \(b.text())")
      return
    }
  }

  @Test("AR-7: a dictionary that grows from batch to batch, read in any order")
  func dictionaries() throws {
    let file = try ArrowFile(ByteRegion(fixtureBytes("dictionaries.arrows")))
    let expected = try expectedRows("dictionaries")
    #expect(try file.rows() == expected)
    var reader = try file.batches(of: 0, columns: [0])
    let first = try #require(try reader.next())
    #expect(first.columns[0].json(1, file.fields[0].type) == expected[1]["word"])
  }

  @Test("a column alone: the others' buffers are stepped over")
  func column() throws {
    let file = try ArrowFile(ByteRegion(fixtureBytes("types-lz4.arrow")))
    for field in file.fields {
      let found = try file.rows([field.name]).map { $0[field.name] }
      #expect(try found == expectedRows("types").map { $0[field.name] }, "\(field.name)")
    }
  }

  @Test("the example of formats/arrow.md")
  func example() throws {
    let file = try ArrowFile(ByteRegion(fixtureBytes("small.arrows")))
    #expect(try file.rows() == [["n": 7]])
    #expect(file.fields == [Field("n", .primitive(.integer(bits: 32, isSigned: true)))])
  }

  /// The example with one change of its bytes, or cut.
  private func problem(_ change: (inout [UInt8]) -> Void) throws -> ArrowProblem? {
    var bytes = try fixtureBytes("small.arrows")
    change(&bytes)
    do {
      _ = try ArrowFile(ByteRegion(bytes)).rows()
      return nil
    } catch let error as ArrowError {
      #expect(error.code == "arrow." + error.problem.rule && !error.message.isEmpty)
      return error.problem
    }
  }

  @Test("AR-1, AR-2: messages")
  func messages() throws {
    #expect(try problem { $0 = [] } == .notArrow)
    #expect(try problem { $0 = Array("ARROW1".utf8) } == .notArrow)
    #expect(try problem { $0 = Array("hello world".utf8) } == .notArrow)
    #expect(try problem { $0.removeLast($0.count - 8) } == .truncated(needed: 120, left: 0))
    #expect(
      try problem { $0[7] = 0x7F }
        == .metadataTooLong(byteCount: 0x7F00_0078, limit: ArrowMessages.headLimit))
    #expect(try problem { $0.replaceSubrange(8..<12, with: [0xFF, 0xFF, 0, 0]) } == .flatBuffer)
    #expect(try problem { $0.removeSubrange(0..<128) } == .noSchema)
    #expect(try problem { $0.insert(contentsOf: $0[0..<128], at: 128) } == .secondSchema)
  }

  @Test("AR-3, AR-4: a schema and buffers that do not fit")
  func buffers() throws {
    #expect(try problem { $0[0x53] = 14 } == .type(column: "n", "union"))
    #expect(try problem { $0[0x7C] = 33 } == .width(column: "n", 33))
    #expect(
      try problem { $0[0xE8] = 9 } == .bufferRange(start: 9, byteCount: 4, limit: 8))
    #expect(try problem { $0[0xF0] = 1 } == .bufferShort(column: "n", 1, needed: 4))
    #expect(try problem { $0[0x100] = 2 } == .length(column: "n", 2, expected: 1))
    #expect(try problem { $0[0xD4] = 1 } == .missing("buffers"))
    #expect(try problem { $0[0xFC] = 0 } == .missing("nodes"))
  }

  @Test("AR-5: a buffer that does not decompress")
  func damagedBuffer() throws {
    var bytes = try fixtureBytes("records-lz4.arrow")
    let region = ByteRegion(bytes)
    let body = try #require(try ArrowMessages(region).batches.first).body
    for i in body where i % 8 > 2 { bytes[i] ^= 0x55 }
    let error = #expect(throws: ArrowError.self) { try ArrowFile(ByteRegion(bytes)).rows() }
    switch error?.problem {
    case .decompression, .bufferTooLarge: break
    default: Issue.record("\(String(describing: error))")
    }
  }

  @Test(
    "AR-8: damaged files give an error, or as many rows as they state",
    arguments: ["records.arrow", "nested-zstd.arrows", "types-lz4.arrow", "dictionaries.arrows"])
  func mutations(_ name: String) throws {
    var refused = 0
    for (seed, bytes) in Mutations(of: try fixtureBytes(name), count: 800) {
      do {
        let file = try ArrowFile(ByteRegion(bytes))
        #expect(try file.rows().count == file.groupRowCounts.reduce(0, +), "seed \(seed)")
      } catch is ArrowError { refused += 1 }
    }
    #expect(refused > 50)
  }
}
