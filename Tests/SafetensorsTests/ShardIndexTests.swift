import ByteIO
import JSON
import Safetensors
import Tensors
import Testing

@Suite("shard index")
struct ShardIndexTests {
  struct Sample: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var text: String
    var problem: ShardIndexError.Problem
  }

  static func index(_ map: String) -> String {
    "{\"metadata\":{\"total_size\":8},\"weight_map\":{\(map)}}"
  }

  static let rejected: [Sample] =
    [
      .init(
        testDescription: "SI-1 index.not_json: text", text: "x",
        problem: .json(.unexpectedByte(0x78, wanted: "a value"))),
      .init(testDescription: "SI-1 index.not_json: array", text: "[]", problem: .notObject),
      .init(
        testDescription: "SI-1 index.duplicate_key: a tensor twice",
        text: index("\"a\":\"x\",\"a\":\"y\""), problem: .json(.duplicateKey("a", first: 43))),
      .init(testDescription: "SI-2 index.no_weight_map: none", text: "{}", problem: .noWeightMap),
      .init(
        testDescription: "SI-2 index.no_weight_map: empty", text: index(""),
        problem: .noWeightMap),
      .init(
        testDescription: "SI-2 index.no_weight_map: a number", text: index("\"a\":1"),
        problem: .noWeightMap),
      .init(
        testDescription: "SI-8 index.shard_count: one of two",
        text: index("\"a\":\"model-00001-of-00002.safetensors\""),
        problem: .shardCount("model-00001-of-00002.safetensors", named: 1)),
    ]
    + ["/etc/x", "../x", "a/../x", "a//x", "", "./x", "..\\\\x", "x\\u0000y", "C:\\\\x"].map {
      let decoded = $0.replacing("\\\\", with: "\\").replacing("\\u0000", with: "\0")
      return .init(
        testDescription: "SI-3 index.unsafe_path: \($0)", text: index("\"a\":\"\($0)\""),
        problem: .unsafePath(decoded))
    }

  @Test("rejects", arguments: rejected)
  func rejects(_ sample: Sample) {
    do {
      _ = try ShardIndex(ByteRegion(Array(sample.text.utf8), path: "i"))
      Issue.record("accepted")
    } catch {
      #expect(error.problem == sample.problem)
      #expect(sample.testDescription.contains(error.code + ":"))
      #expect(error.file == "i" && error.kind == .malformed && !error.message.isEmpty)
    }
  }

  static func record(_ name: TensorName) -> TensorRecord {
    TensorRecord(
      name: name, type: .element(.u8), shape: [4], byteCount: 4, file: "", offset: nil)
  }

  func check(_ tensors: [[TensorName]]) throws(ShardIndexError) -> [Warning] {
    let text = Self.index("\"a\":\"x\",\"b\":\"y/z\"")
    let index = try ShardIndex(ByteRegion(Array(text.utf8), path: "i"))
    #expect(index.shards == ["x", "y/z"])
    return try index.check(tensors.map { $0.map(Self.record) })
  }

  @Test("SI-5, SI-6, SI-7: tensors and index must agree")
  func comparison() throws {
    #expect(try check([["a"], ["b"]]) == [])
    #expect(throws: ShardIndexError(.tensorMissing(shard: "y/z"), path: "i", tensor: "b")) {
      try check([["a"], []])
    }
    #expect(throws: ShardIndexError(.tensorMissing(shard: "x"), path: "i", tensor: "a")) {
      try check([[], ["a", "b"]])
    }
    #expect(throws: ShardIndexError(.tensorUnlisted(shard: "x"), path: "i", tensor: "c")) {
      try check([["a", "c"], ["b"]])
    }
    #expect(throws: ShardIndexError(.tensorTwice("x", "y/z"), path: "i", tensor: "a")) {
      try check([["a"], ["a", "b"]])
    }
  }

  @Test("SI-9 index.total_size: a wrong sum is a warning")
  func totalSize() throws {
    let text = "{\"metadata\":{\"total_size\":9},\"weight_map\":{\"a\":\"x\"}}"
    let index = try ShardIndex(ByteRegion(Array(text.utf8), path: "i"))
    #expect(try index.check([[Self.record("a")]]).map(\.code) == ["index.total_size"])
  }
}
