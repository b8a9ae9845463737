import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("files of data at the command line")
struct DataFileTests {
  let folder = TemporaryFolder()
  let model = Fixtures.path("tiny-arithmetic")

  @Test("inspect shows columns, rows, compression and first records")
  func inspects() throws {
    let path = Fixtures.path("data/texts.parquet")
    let done = try outcome(Inspect.self, [path, "--json"])
    let data = try #require(done.json?["data"])
    #expect(done.json?["format"] == "parquet")
    #expect(data["rows"] == 5 && data["row_groups"] == 3)
    #expect(data["compression"] == ["ZSTD"])
    #expect(data["columns"]?.array?.last == ["name": "text", "type": "string"])
    #expect(data["first_records"]?.array?.first == ["id": 0, "text": "Plain words."])
    let page = try outcome(Inspect.self, [path]).output
    #expect(page.contains("5 in 3 row groups") && page.contains(#""text":"Plain words.""#))
    let text = try outcome(Inspect.self, [path, "--check", "--json"])
    #expect(text.code == 64)
  }

  @Test(
    "the same texts in every format have the same loss",
    arguments: ["json", "csv", "parquet", "arrow"])
  func evaluates(_ format: String) throws {
    func loss(_ path: String) throws -> JSONValue? {
      try outcome(
        Eval.self, [model, "--data", path, "--sequence-length", "16", "--json"]
      ).json?["results"]
    }
    let expected = try #require(try loss(Fixtures.path("data/texts.jsonl")))
    #expect(try loss(Fixtures.path("data/texts." + format)) == expected)
  }

  @Test("binary is never learned as text: exit 4, with what it is")
  func binary() throws {
    let path = try folder.write([0, 1, 2, 3, 0, 255], to: "a.txt")
    let done = try outcome(Eval.self, [model, "--data", path, "--json"])
    #expect(done.code == 4)
    #expect(done.json?["errors"]?.array?.first?["code"] == "data.not_data")
  }

  @Test("a damaged Parquet file: exit 3, with rule and offset")
  func damaged() throws {
    var bytes = Array(
      try Data(contentsOf: URL(filePath: Fixtures.path("parquet/checksums.parquet"))))
    bytes[80] ^= 1
    let path = try folder.write(bytes, to: "a.parquet")
    let done = try outcome(
      Eval.self, [model, "--data", path, "--sequence-length", "16", "--json"])
    #expect(done.code == 3)
    let error = done.json?["errors"]?.array?.first
    #expect(error?["code"]?.string?.hasPrefix("pq.") == true && error?["offset"]?.integer != nil)
  }

  @Test("several token files become one when a run is prepared; a name that misleads is told of")
  func prepares() throws {
    let ids: [UInt8] = (0..<600).flatMap { [UInt8($0 % 7), 0] }
    for name in ["t/a.bin", "t/b.bin"] { try folder.write(ids, to: name) }
    let texts = try folder.write(
      Array((0..<400).map { "{\"text\": \"\($0)+1=\($0 + 1)\"}\n" }.joined().utf8), to: "d.txt")
    let run = folder.file("prepared")
    let done = try outcome(
      Train.self,
      [
        Fixtures.path("golden/tiny-llama/source"), "--data", folder.file("t"), "--prepare", "-o",
        run,
        "--sequence-length", "16", "--json",
      ])
    #expect(done.code == 0, "\(done.notes) \(done.output)")
    let source = try #require(done.json?["sources"]?.array?.first)
    #expect(source["tokens"] == 1200)
    #expect(source["file"]?.string == run + "/0-t.tokens")
    let other = try outcome(
      Train.self,
      [
        model, "--data", texts, "--prepare", "-o", folder.file("other"), "--sequence-length", "16",
        "--cache", folder.file("cache"), "--json",
      ])
    #expect(other.code == 0, "\(other.notes) \(other.output)")
    #expect(other.json?["warnings"]?.array?.first?["code"] == "data.other_kind")
    #expect(other.json?["sources"]?.array?.first?["documents"] == 400)
  }
}
