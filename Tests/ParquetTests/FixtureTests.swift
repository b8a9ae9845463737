import ByteIO
import Columns
import JSON
import TestSupport
import Testing

@testable import Parquet

@Suite("Parquet accepts")
struct FixtureTests {
  @Test(
    "PQ-9, PQ-12, PQ-15 to PQ-19: what pyarrow writes, by codec, page version and encoding",
    arguments: [
      "codec-none", "codec-snappy", "codec-gzip", "codec-brotli", "codec-zstd", "codec-lz4",
      "pages-v2", "pages-v2-plain", "checksums", "statistics", "groups", "plain", "delta-binary",
      "delta-binary-v2", "delta-length", "delta-length-v2", "delta-strings", "delta-strings-v2",
      "split", "rle-booleans", "rle-booleans-v2",
    ])
  func records(_ name: String) throws {
    let found = try fixture(name).rows()
    let expected = try expectedRows("records")
    #expect(found.count == expected.count)
    for (i, (a, b)) in zip(found, expected).enumerated() where a != b {
      Issue.record("row \(i): \(a.text()), not \(b.text())")
      return
    }
  }

  @Test(
    "PQ-6, PQ-13, PQ-20: lists, structures and maps within each other",
    arguments: ["nested", "nested-v2", "nested-pages", "nested-plain"])
  func nested(_ name: String) throws {
    let found = try fixture(name).rows()
    let expected = try expectedRows("nested")
    #expect(found.count == expected.count)
    for (i, (a, b)) in zip(found, expected).enumerated() where a != b {
      Issue.record("row \(i): \(a.text()), not \(b.text())")
      return
    }
  }

  @Test("PQ-6: every type", arguments: ["types", "types-v1"])
  func types(_ name: String) throws {
    #expect(try fixture(name).rows() == expectedRows("types"))
  }

  @Test("the schema as types")
  func schema() throws {
    let types = try fixture("nested").fields.map { "\($0.name): \($0.type)" }
    #expect(
      types == [
        "messages: list<struct<role: string, content: string>>", "tokens: list<int32>",
        "deep: list<list<list<int8>>>",
        "info: struct<a: int16, b: struct<c: string, d: list<string>>>",
        "map: map<string, int64>", "required: list<struct<n: int32>>",
      ])
  }

  @Test("a column alone, and none")
  func columns() throws {
    let file = try fixture("groups")
    #expect(file.groupRowCounts == [50, 50, 20])
    let words = try file.rows(["word"]).map { $0["word"] }
    #expect(try words == expectedRows("records").map { $0["word"] })
    var reader = try file.batches(of: 2, columns: [])
    #expect(try reader.next()?.rowCount == 20)
    #expect(try reader.next()?.rowCount == nil)
  }

  @Test(
    "what other programs write",
    arguments: ["duckdb", "polars", "fastparquet", "spark-v1", "spark-v2", "spark-lz4"])
  func others(_ name: String) throws {
    #expect(try fixture("by-" + name).rows() == expectedRows("others"))
  }

  @Test("the example of formats/parquet.md")
  func example() throws {
    let file = try fixture("small")
    #expect(file.rowCount == 2)
    #expect(try file.rows().map { $0["text"] } == ["1+1=2", .null])
  }
}
