import ByteIO
import Foundation
import TestSupport
import Testing

@testable import Training

/// Bytes under a name, and what they are.
struct Sniffed: Sendable, CustomTestStringConvertible {
  var name: String
  var bytes: [UInt8]
  var kind: DataKind
  var testDescription: String { "\(name): \(kind)" }

  init(_ name: String, _ text: String, _ kind: DataKind) {
    self.init(name, Array(text.utf8), kind)
  }

  init(_ name: String, _ bytes: [UInt8], _ kind: DataKind) {
    (self.name, self.bytes, self.kind) = (name, bytes, kind)
  }
}

/// Bytes under a name that are no data, and what is said of them.
struct Refused: Sendable, CustomTestStringConvertible {
  var name: String
  var bytes: [UInt8]
  var problem: DataError.Problem
  var testDescription: String { "\(name): \(problem)" }

  init(_ name: String, _ bytes: [UInt8], _ problem: DataError.Problem) {
    (self.name, self.bytes, self.problem) = (name, bytes, problem)
  }
}

@Suite("RF-7: kinds of data")
struct DataKindTests {
  private let folder = TemporaryFolder()

  static let object = "{\"text\": \"a\"}\n"

  @Test(
    "RF-7: the content decides",
    arguments: [
      Sniffed("a.txt", "words, and more\nwords", .text),
      Sniffed("a", "words", .text),
      Sniffed("a.txt", "{ not JSON }\n", .text),
      Sniffed("a.txt", "[Chorus]\nwords", .text),
      Sniffed("a.jsonl", object + object, .jsonl),
      Sniffed("a.json", object + object, .jsonl),
      Sniffed("a", object, .jsonl),
      Sniffed("a.txt", "\n  " + object, .jsonl),
      Sniffed("a.csv", object, .jsonl),
      Sniffed("a.jsonl", "no object", .jsonl),
      Sniffed("bom.jsonl", [0xEF, 0xBB, 0xBF] + Array(object.utf8), .jsonl),
      Sniffed("a.json", "[\n" + object + "]", .json),
      Sniffed("a.jsonl", "[{}]", .json),
      Sniffed("a.json", "[]", .json),
      Sniffed("a.csv", "id,body\n1,x\n", .csv),
      Sniffed("a.tsv", "id\tbody\n", .tsv),
      Sniffed("a", "id,text\n1,x\n", .csv),
      Sniffed("a.txt", "id\ttext\n1\tx\n", .tsv),
      Sniffed("a.txt", Array("PAR1....".utf8), .parquet),
      Sniffed("a.txt", Array("ARROW1\0\0".utf8), .arrow),
      Sniffed("a", [0xFF, 0xFF, 0xFF, 0xFF, 0x78, 0, 0, 0, 0x10, 0, 0, 0, 0], .arrow),
      Sniffed("a.txt", "ORCHARDS, and other words", .text),
      Sniffed("a.bin", [1, 0, 2, 0], .bin),
      Sniffed("a.bin", Array("small ids that look like UTF-16".utf8).flatMap { [$0, 0] }, .bin),
      Sniffed("a.bin", [0x88, 0xD8, 0x34, 0x01] + [UInt8](repeating: 1, count: 20), .shard),
      Sniffed("a", [0x93] + Array("NUMPY".utf8), .npy),
      Sniffed("a.bin", Array("ckpttok1".utf8), .tokens),
    ])
  func kinds(_ sample: Sniffed) throws {
    let path = try folder.write(sample.bytes, to: sample.name)
    #expect(try DataSniffer(path).kind == sample.kind)
  }

  @Test(
    "RF-7: what is no data is refused by name",
    arguments: [
      Refused("a.txt", [], .empty),
      Refused("a.txt", [0xFF, 0xFE, 0x61, 0], .wideText("UTF-16")),
      Refused("a.txt", [0xFE, 0xFF, 0, 0x61], .wideText("UTF-16")),
      Refused("a.txt", [0xFF, 0xFE, 0, 0, 0x61, 0, 0, 0], .wideText("UTF-32")),
      Refused("a.jsonl", Array("plain".utf8).flatMap { [$0, 0] }, .wideText("UTF-16")),
      Refused("a.txt", [1, 2, 3, 0, 255], .notData("binary data of no known kind")),
      Refused(
        "a.parquet", Array("version https://git-lfs.github.com/spec/v1".utf8),
        .notData("a git-LFS pointer, the stand-in for a file that was not downloaded")),
      Refused(
        "a.jsonl", Array("<!DOCTYPE html>".utf8),
        .notData("an HTML page, perhaps an error page saved by a download")),
      Refused(
        "a.parquet", Array("words".utf8), .notData("text, although its name says a Parquet file")),
      Refused("a.orc", Array("ORC".utf8) + [0, 1, 2], .notData("an ORC file")),
      Refused(
        "a.feather", Array("FEA1".utf8) + [0, 0], .notData("a file of the old Feather format")),
      Refused("a.json", Array("{\n\"a\": 1\n}".utf8), .oneObject),
      Refused("a.json", Array("words".utf8), .notAnObject("neither objects nor an array of them")),
      Refused(
        "a.bin", Array(String(repeating: "plain words ", count: 9).utf8),
        .ambiguous("the name says token ids, but the content looks like text")),
    ])
  func refuses(_ sample: Refused) throws {
    let path = try folder.write(sample.bytes, to: sample.name)
    let error = #expect(throws: DataError.self) { try DataSniffer(path) }
    #expect(error?.problem == sample.problem)
  }

  @Test("a name that says something else gets a warning")
  func names() throws {
    let object = Array(Self.object.utf8)
    for name in ["a.jsonl", "a.ndjson", "a.json", "a"] {
      let path = try folder.write(object, to: name)
      #expect(try DataSniffer(path).warnings.isEmpty, "\(name)")
    }
    let path = try folder.write(object, to: "a.txt")
    #expect(try DataSniffer(path).warnings.map(\.code) == ["data.other_kind"])
  }

  @Test("RF-8: a folder's files of data, in the order of their names, and patterns")
  func files() throws {
    for name in [
      "d/b.jsonl", "d/a/2.jsonl", "d/a/10.txt", "d/.hidden.txt", "d/README.md", "d/x.py",
    ] {
      try folder.write(Array(Self.object.utf8), to: name)
    }
    func names(_ path: String) throws -> [String] {
      try DataFiles(folder.file(path)).files.map {
        String($0.path.dropFirst(folder.path.count + 1))
      }
    }
    #expect(try names("d") == ["d/a/10.txt", "d/a/2.jsonl", "d/b.jsonl"])
    #expect(try names("d/*.jsonl") == ["d/b.jsonl"])
    #expect(try names("d/a/[0-9].jsonl") == ["d/a/2.jsonl"])
    let error = #expect(throws: DataError.self) { try names("d/*.parquet") }
    #expect(error?.problem == .noFiles)
    try folder.write([1, 0, 2, 0], to: "d/c.bin")
    let mixed = #expect(throws: DataError.self) { try names("d") }
    #expect(mixed?.problem == .mixedSource(folder.file("d/c.bin")))
  }

  @Test("RF-8: what `datasets` saves, by its state.json; splits are not mixed")
  func savedDataset() throws {
    let saved = Fixtures.path("data/saved")
    let names = try DataFiles(saved + "/train").files.map { $0.path.dropFirst(saved.count + 1) }
    #expect(names == ["train/data-00000-of-00002.arrow", "train/data-00001-of-00002.arrow"])
    let error = #expect(throws: DataError.self) { try DataFiles(saved) }
    #expect(error?.problem == .severalSplits(["train", "test"]))
    for name in ["train-00000-of-00001.jsonl", "test-00000-of-00001.jsonl"] {
      try folder.write(Array(Self.object.utf8), to: "hub/data/" + name)
    }
    let mixed = #expect(throws: DataError.self) { try DataFiles(folder.file("hub")) }
    #expect(mixed?.problem == .severalSplits(["test-*", "train-*"]))
    #expect(try DataFiles(folder.file("hub/data/train-*")).files.count == 1)
    try folder.write(Array(#"{"_data_files": [{"filename": "../x"}]}"#.utf8), to: "s/state.json")
    #expect(throws: DataError.self) { try DataFiles(folder.file("s")) }
  }
}
