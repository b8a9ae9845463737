import ByteIO
import JSON
import Safetensors
import Tensors
import TestSupport
import Testing

@Suite("safetensors: what is accepted")
struct AcceptsTests {
  @Test("accepts", arguments: samples + warned)
  func accepts(_ sample: Accepted) throws {
    let file = try SafetensorsFile(ByteRegion(sample.bytes, path: "x"))
    #expect(file.tensors.map(\.name) == sample.names.map { TensorName($0) })
    #expect(file.warnings.map(\.code) == sample.warnings)
    #expect(file.warnings.allSatisfy { $0.file == "x" })
  }

  static let samples: [Accepted] = [
    .init("ST-3: no tensors", sample("{}"), names: []),
    .init(
      "ST-3: no tensors, unpadded", lengthField(2) + [0x7B, 0x7D], names: [],
      warnings: ["st.header_unaligned"]),
    .init("ST-9: scalar", tensor(shape: "[]", offsets: "[0,1]", data: 1), names: ["a"]),
    .init("ST-9: empty tensor", tensor(shape: "[0,3]", offsets: "[0,0]", data: 0), names: ["a"]),
    .init(
      "ST-12: empty tensors where others meet",
      sample(
        "{\(entry("b", "\"U8\"", "[4]", "[4,8]")),\(entry("e", "\"F32\"", "[0]", "[4,4]")),"
          + "\(entry("f", "\"F32\"", "[0]", "[8,8]")),\(entry("a"))}", data: 8),
      names: ["a", "e", "b", "f"]),
    .init(
      "ST-12: header order is not position order",
      sample("{\(entry("z")),\(entry("a", "\"U8\"", "[4]", "[4,8]"))}", data: 8),
      names: ["z", "a"]),
    .init(
      "ST-6: a name that looks like a path", tensor("../../etc/passwd"),
      names: ["../../etc/passwd"]),
    .init(
      "ST-6: two spellings of é are two names",
      sample("{\(entry("\u{E9}")),\(entry("e\u{301}", "\"U8\"", "[4]", "[4,8]"))}", data: 8),
      names: ["\u{E9}", "e\u{301}"]),
    .init("ST-6: escapes are decoded", tensor("a\\u00e9\\ud83d\\ude00\\/"), names: ["aé😀/"]),
  ]

  static let warned: [Accepted] = [
    .init(
      "ST-2 st.header_unaligned: N no multiple of 8",
      sample("{\"__metadata__\":{}}", padded: false), names: [],
      warnings: ["st.header_unaligned"]),
    .init(
      "ST-3 st.header_padding: line breaks and tabs", sample("{}\n\t\r\n\n\n"), names: [],
      warnings: ["st.header_padding"]),
    .init(
      "ST-3 st.header_leading_space: a space before the object", sample(" {}"), names: [],
      warnings: ["st.header_leading_space"]),
    .init(
      "ST-5 st.metadata_null: null", sample("{\"__metadata__\":null}"), names: [],
      warnings: ["st.metadata_null"]),
    .init(
      "ST-7 st.extra_field: unknown field",
      sample("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"x\":{}}}", data: 4),
      names: ["a"], warnings: ["st.extra_field"]),
    .init(
      "ST-12 st.unaligned: F32 at an odd offset",
      sample(
        "{\(entry("a", "\"U8\"", "[1]", "[0,1]")),\(entry("b", "\"F32\"", "[1]", "[1,5]"))}",
        data: 5
      ), names: ["a", "b"], warnings: ["st.unaligned"]),
  ]

  @Test("ST-8: every type of the format", arguments: ElementType.safetensorsTypes)
  func types(_ type: ElementType) throws {
    let bytes = tensor(
      dtype: "\"\(type.rawValue)\"", shape: "[2,4]", offsets: "[0,\(type.bitWidth)]",
      data: type.bitWidth)
    let file = try SafetensorsFile(ByteRegion(bytes))
    #expect(file.tensors.map(\.type) == [.element(type)])
    #expect(file.tensors.map(\.byteCount) == [type.bitWidth])
    #expect(ElementType.safetensorsTypes.count == 22)
  }

  @Test("ST-5: metadata keeps its order and its strings")
  func metadata() throws {
    let bytes = sample("{\"__metadata__\":{\"z\":\"1\",\"a\":\"\\u00e9\",\"e\\u0301\":\"\"}}")
    let file = try SafetensorsFile(ByteRegion(bytes))
    #expect(file.metadata == ["z": "1", "a": "é", "e\u{301}": ""])
    #expect(try SafetensorsFile(ByteRegion(sample("{}"))).metadata == nil)
  }

  @Test("bytes are where the header says, at any alignment and inside another file")
  func bytes() throws {
    var bytes = sample(
      "{\(entry("a", "\"U8\"", "[1]", "[0,1]")),\(entry("b", "\"F32\"", "[1]", "[1,5]"))}", data: 5)
    bytes.replaceSubrange((bytes.count - 4)..., with: [1, 2, 3, 4])
    let outer = ByteRegion([9, 9, 9] + bytes + [9], path: "outer")
    let region = try #require(outer.subregion(3..<(3 + bytes.count), path: "outer/x"))
    let file = try SafetensorsFile(region)
    #expect(file.tensors.last?.offset == 3 + bytes.count - 4)
    var read = [UInt8](repeating: 0, count: 2)
    var span = read.mutableRawSpan
    try file.read(1, at: 1, into: &span)
    #expect(read == [2, 3])
    #expect(try file.region(of: 1)?.bytes(0..<4) == [1, 2, 3, 4])
    var tooMany = [UInt8](repeating: 0, count: 4)
    #expect(throws: FileError.self) {
      var span = tooMany.mutableRawSpan
      try file.read(1, at: 1, into: &span)
    }
  }
}
