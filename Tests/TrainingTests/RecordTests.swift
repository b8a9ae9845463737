import ByteIO
import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

@Suite("records")
struct RecordTests {
  private let folder = TemporaryFolder()

  private func read(_ name: String, _ content: String, skips: Bool = false) throws -> [UInt32] {
    let path = try folder.write(Array(content.utf8), to: name)
    return try tokens(of: path, in: folder.file("cache"), skips: skips)
  }

  private func problem(_ name: String, _ content: String) throws -> DataError? {
    #expect(throws: DataError.self) { try read(name, content) }
  }

  @Test(
    "the same documents in every format give the same tokens",
    arguments: [
      "texts.json", "texts.json.gz", "texts.csv", "texts.tsv", "texts.parquet", "texts.tar",
      "texts.arrow", "saved/train", "mds", "mds-zstd", "mds-more",
    ])
  func formats(_ name: String) throws {
    let cache = folder.file("cache")
    let expected = try tokens(of: Fixtures.path("data/texts.jsonl"), in: cache)
    #expect(expected.count { $0 == 256 } == 5)
    #expect(try tokens(of: Fixtures.path("data/" + name), in: cache) == expected)
  }

  @Test(
    "token ids of an MDS set, whatever its arrays say of themselves",
    arguments: ["mds-ids", "mds-ids-fixed", "mds-ids-free"])
  func arrays(_ name: String) throws {
    let ids = try tokens(
      of: Fixtures.path("data/" + name), in: folder.file("cache"), encoder: byteEncoder)
    #expect(ids == (0..<4).flatMap { [$0, 7, 200 + $0] })
  }

  @Test("an MDS shard that is cut or damaged is an error, or records")
  func damaged() throws {
    let path = Fixtures.path("data/mds-more/shard.00000.mds")
    let bytes = try ByteRegion(path: path).contents(limit: 1 << 16)
    func read(_ bytes: [UInt8]) throws -> Int {
      let path = try folder.write(bytes, to: "shard.mds")
      var (records, count) = (try MDSRecords(path), 0)
      while try records.next() != nil { count += 1 }
      return count
    }
    #expect(try read(bytes) == 5)
    for count in 0..<bytes.count where count % 7 == 0 {
      #expect(throws: (any Error).self, "cut to \(count)") { try read(Array(bytes[..<count])) }
    }
    for position in bytes.indices {
      for flip: UInt8 in [0x01, 0x80, 0xFF] {
        var copy = bytes
        copy[position] ^= flip
        _ = try? read(copy)
      }
    }
  }

  @Test(
    "every encoding and compression of Parquet and Arrow gives the same tokens",
    arguments: [
      "parquet/codec-none.parquet", "parquet/codec-snappy.parquet", "parquet/codec-gzip.parquet",
      "parquet/codec-brotli.parquet", "parquet/codec-zstd.parquet", "parquet/codec-lz4.parquet",
      "parquet/pages-v2.parquet", "parquet/pages-v2-plain.parquet", "parquet/groups.parquet",
      "parquet/plain.parquet", "parquet/delta-length.parquet", "parquet/delta-length-v2.parquet",
      "parquet/delta-strings.parquet", "parquet/delta-strings-v2.parquet", "arrow/records.arrow",
      "arrow/records-lz4.arrow", "arrow/records-zstd.arrows",
    ])
  func encodings(_ name: String) throws {
    // A row in five has no text: left out.
    let cache = folder.file("cache")
    let expected = try tokens(of: Fixtures.path("parquet/records.jsonl"), in: cache, skips: true)
    #expect(expected.count > 1000)
    #expect(try tokens(of: Fixtures.path(name), in: cache, skips: true) == expected)
  }

  @Test(
    "the same conversations in every layout give the same tokens",
    arguments: ["chats-sharegpt.json", "chats-ultrachat.parquet", "chats-alpaca.json"])
  func layouts(_ name: String) throws {
    let cache = folder.file("cache")
    let expected = try tokens(of: Fixtures.path("data/chats.jsonl"), in: cache)
    #expect(expected.contains { $0 & TokenMark.notLearned != 0 })
    #expect(try tokens(of: Fixtures.path("data/" + name), in: cache) == expected)
  }

  @Test("the files of a folder are one source")
  func folderSource() throws {
    try folder.write(Array("{\"text\": \"a\"}\n".utf8), to: "d/1.jsonl")
    try folder.write(Array("[{\"text\": \"b\"}]".utf8), to: "d/2.json")
    try folder.write(Array("c".utf8), to: "d/3.txt")
    let all = try tokens(of: folder.file("d"), in: folder.file("cache"))
    #expect(all == [97, 256, 98, 256, 99, 256])
  }

  @Test("an instruction in the words of Alpaca where there is no chat template")
  func alpaca() throws {
    var plain = byteEncoder
    plain.chat = nil
    let cache = folder.file("cache")
    let path = try folder.write(
      Array(#"[{"instruction": "Add.", "input": "1 2", "output": "3"}]"#.utf8), to: "a.json")
    let found = try tokens(of: path, in: cache, encoder: plain)
    let prompt = """
      Below is an instruction that describes a task, paired with an input that provides further \
      context. Write a response that appropriately completes the request.

      ### Instruction:
      Add.

      ### Input:
      1 2

      ### Response:
      """
    #expect(found == bytes(prompt, masked: true) + bytes("3") + [256])
  }

  @Test("content is a text; a field that is null is not there")
  func content() throws {
    #expect(try read("a.jsonl", #"{"content": "x", "text": null}"#) == bytes("x") + [256])
  }

  @Test("fields that the user names are the only ones")
  func fields() throws {
    let path = try folder.write(Array(#"{"content": "x", "body": "y"}"#.utf8), to: "a.jsonl")
    let cache = folder.file("cache")
    #expect(try tokens(of: path, in: cache) { $0.fields.text = "body" } == bytes("y") + [256])
    let error = #expect(throws: DataError.self) {
      try tokens(of: path, in: cache) { $0.fields.text = "title" }
    }
    #expect(
      error?.problem
        == .missingField(["title", "messages", "prompt"], found: ["content", "body"]))
    #expect(error?.hint?.contains("data.fields.text") == true)
  }

  @Test("preferences, turns of nobody and empty conversations are refused by name")
  func refusedLayouts() throws {
    let pair = #"{"prompt": "a", "chosen": "b", "rejected": "c"}"#
    #expect(try problem("p.jsonl", pair)?.problem == .preferences)
    let turns = #"{"conversations": [{"from": "bob", "value": "x"}]}"#
    let nobody = "there is no speaker called \"bob\""
    #expect(try problem("s.jsonl", turns)?.problem == .badChat(nobody))
    #expect(
      try problem("e.jsonl", #"{"conversations": []}"#)?.problem
        == .wrongType(field: "conversations", wanted: "a list of turns"))
  }

  @Test(
    "a byte-order mark is no part of the text", arguments: ["a.txt", "a.jsonl", "a.csv", "a.json"])
  func mark(_ name: String) throws {
    let texts = [
      "a.txt": "x", "a.jsonl": #"{"text": "x"}"#, "a.csv": "text,n\nx,1\n",
      "a.json": #"[{"text": "x"}]"#,
    ]
    #expect(try read(name, "\u{FEFF}" + (texts[name] ?? "")) == bytes("x") + [256])
  }

  @Test("cells in quotes hold separators, quotes and line ends as they are")
  func cells() throws {
    let table = "text,id\r\n\"a,\"\"b\"\"\r\nc\",1\r\nplain,2"
    #expect(try read("a.csv", table) == bytes("a,\"b\"\r\nc") + [256] + bytes("plain") + [256])
    #expect(try read("last.csv", "id,text\r\n1,\"q\"\r\n2,r\r\n") == [113, 256, 114, 256])
  }

  @Test("bad tables, with their row")
  func badTables() throws {
    let short = try problem("a.csv", "id,text\n1,x\n2\n")
    #expect(short?.problem == .cellCount(1, names: 2))
    #expect(short?.place == .row(2, group: nil))
    #expect(try read("a.csv", "id,text\n1,x\n2\n3,y\n", skips: true) == [120, 256, 121, 256])
    #expect(
      try problem("b.csv", "text,text\n1,x\n")?.problem
        == .badTable("two columns are called \"text\""))
    #expect(
      try problem("c.csv", "text,b\n\"open,x\n")?.problem == .badTable("a quoted cell does not end")
    )
  }

  @Test(
    "bad JSON arrays",
    arguments: [
      "[{\"text\": \"a\"}", "[{\"text\": \"a\"} 1]", "[{\"text\": \"a\"}] x", "[1]", "[{\"a",
    ])
  func badArrays(_ content: String) throws {
    let error = try problem("a.json", content)
    guard case .badJSON = error?.problem else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("a bad record of an array, with its number")
  func badRecord() throws {
    let error = try problem("a.json", #"[{"text": "a"}, {"text": 5}]"#)
    #expect(error?.problem == .wrongType(field: "text", wanted: "a string"))
    #expect(error?.place == .record(2))
    #expect(error?.message.hasPrefix("record 2: ") == true)
  }

  @Test("a bad row of a Parquet file, with its row group")
  func badRow() throws {
    let path = Fixtures.path("parquet/small.parquet")
    let error = #expect(throws: DataError.self) {
      try tokens(of: path, in: folder.file("cache"))
    }
    #expect(error?.place == .row(1, group: 0))
    let kept = try tokens(of: path, in: folder.file("cache"), skips: true)
    #expect(kept == bytes("1+1=2") + [256])
  }

  @Test("records of token ids are taken as they are; labels and masks count")
  func tokenRecords() throws {
    let lines = """
      {"input_ids": [5, 6, 7]}
      {"input_ids": [1, 2, 0], "labels": [-100, 2, -100], "attention_mask": [1, 1, 0]}
      """
    #expect(try read("t.jsonl", lines) == [5, 6, 7, 1 | TokenMark.notLearned, 2])
    for bad in [
      #"{"input_ids": [-1]}"#, #"{"input_ids": "x"}"#, #"{"input_ids": [1, 2], "labels": [1]}"#,
      #"{"input_ids": [1], "labels": [2]}"#,
    ] {
      guard case .wrongType = try problem("b.jsonl", bad)?.problem else {
        Issue.record("\(bad)")
        continue
      }
    }
    #expect(
      try problem("v.jsonl", #"{"input_ids": [999]}"#)?.problem
        == .tokenOutOfRange(id: 999, vocabulary: 257))
    #expect(try problem("n.jsonl", #"{"x": 1}"#)?.hint?.contains("data.fields") == true)
  }
}
