import Foundation
import JSON
import TestSupport
import Testing

@Suite("JSON parser")
struct ParserTests {
  struct Rejected: Sendable, CustomTestStringConvertible {
    var text: String
    var problem: JSONError.Problem
    var position: Int
    var testDescription: String { String(text.prefix(40)) }

    init(_ text: String, _ problem: JSONError.Problem, at position: Int) {
      self.text = text
      self.problem = problem
      self.position = position
    }
  }

  static let rejected: [Rejected] = [
    .init("", .unexpectedEnd, at: 0),
    .init("  ", .unexpectedEnd, at: 2),
    .init("{", .unexpectedEnd, at: 1),
    .init("[1", .unexpectedEnd, at: 2),
    .init("\"a", .unexpectedEnd, at: 2),
    .init("\"\\u00", .unexpectedEnd, at: 5),
    .init("tru", .unexpectedEnd, at: 3),
    .init("True", .unexpectedByte(0x54, wanted: "a value"), at: 0),
    .init("nul1", .unexpectedByte(0x31, wanted: "null"), at: 3),
    .init("{1:2}", .unexpectedByte(0x31, wanted: "a string key"), at: 1),
    .init("{\"a\" 1}", .unexpectedByte(0x31, wanted: "':'"), at: 5),
    .init("{\"a\":1 \"b\":2}", .unexpectedByte(0x22, wanted: "',' or '}'"), at: 7),
    .init("[1 2]", .unexpectedByte(0x32, wanted: "',' or ']'"), at: 3),
    .init("[1,]", .unexpectedByte(0x5D, wanted: "a value"), at: 3),
    .init("{\"a\":1,}", .unexpectedByte(0x7D, wanted: "a string key"), at: 7),
    .init("// x", .unexpectedByte(0x2F, wanted: "a value"), at: 0),
    .init("NaN", .unexpectedByte(0x4E, wanted: "a value"), at: 0),
    .init("+1", .unexpectedByte(0x2B, wanted: "a value"), at: 0),
    .init("\u{FEFF}1", .byteOrderMark, at: 0),
    .init("01", .invalidNumber, at: 0),
    .init("-", .invalidNumber, at: 0),
    .init("1.", .invalidNumber, at: 0),
    .init(".5", .unexpectedByte(0x2E, wanted: "a value"), at: 0),
    .init("1e", .invalidNumber, at: 0),
    .init("[-01]", .invalidNumber, at: 1),
    .init("1 2", .trailingBytes(count: 1), at: 2),
    .init("{}\0", .trailingBytes(count: 1), at: 2),
    .init("\"\t\"", .controlCharacter(9), at: 1),
    .init("\"\\n\u{1F}\"", .controlCharacter(0x1F), at: 3),
    .init("\"\\x\"", .invalidEscape(0x78), at: 2),
    .init("\"\\u00G0\"", .invalidEscape(0x47), at: 5),
    .init("\"\\ud800\"", .loneSurrogate, at: 1),
    .init("\"\\udc00\"", .loneSurrogate, at: 1),
    .init("\"\\ud800\\u0041\"", .loneSurrogate, at: 1),
    .init("\"\\ud800\\n\"", .loneSurrogate, at: 1),
    .init("{\"a\":1,\"b\":2,\"a\":1}", .duplicateKey("a", first: 1), at: 13),
    .init("{\"a\":1,\"\\u0061\":1}", .duplicateKey("a", first: 1), at: 7),
    .init(String(repeating: "[", count: 65), .tooDeep(limit: 64), at: 64),
    .init(String(repeating: "{\"a\":", count: 100_000), .tooDeep(limit: 64), at: 320),
  ]

  @Test("rejects, and says where", arguments: rejected)
  func rejects(_ sample: Rejected) {
    #expect(throws: JSONError(sample.problem, at: sample.position)) {
      _ = try JSONValue(parsing: Array(sample.text.utf8))
    }
  }

  @Test(
    "rejects what is no UTF-8",
    arguments: [
      [0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82],
    ] as [[UInt8]])
  func invalidUTF8(_ bytes: [UInt8]) {
    for prefix in ["\"ab", "\"\\nb"] {
      let text = Array(prefix.utf8) + bytes + Array("\"".utf8)
      let error = #expect(throws: JSONError.self) { _ = try JSONValue(parsing: text) }
      #expect(error?.problem == .invalidUTF8)
      if prefix == "\"ab" { #expect(error?.offset == 3) }
    }
  }

  @Test("offsets count from the base, and the path is named")
  func base() {
    let text = Array("{\"a\":1,\"a\":2}".utf8)
    #expect(throws: JSONError(.duplicateKey("a", first: 101), at: 107, path: "f")) {
      _ = try JSONValue(parsing: text, base: 100, path: "f")
    }
  }

  @Test("keeps order, spelling and places of what it reads")
  func keeps() throws {
    let text =
      " {\"z\":[1e-05, -0, 18446744073709551615],\n\"é\":{\"e\\u0301\":null}, \"\":true}\r\t"
    let value = try JSONValue(parsing: Array(text.utf8))
    #expect(value.object?.members.map(\.key) == ["z", "é", ""])
    #expect(
      value["z"]?.array?.compactMap(\.number?.text) == ["1e-05", "-0", "18446744073709551615"])
    #expect(value["z"]?.array?[2].number?.unsigned == .max)
    #expect(value["z"]?.array?[2].integer == nil)
    #expect(value["z"]?.array?[0].double == 1e-05)
    #expect(value["é"]?.object?["e\u{301}"] == .null)
    #expect(value["é"]?.object?["é"] == nil)
    #expect(value.object?.members.map(\.keyOffset) == [2, 41, 64])
    #expect(value.object?.members.first?.valueOffset == 6)
  }

  @Test("two spellings of é are two keys")
  func canonicalEquivalence() throws {
    let value = try JSONValue(parsing: Array("{\"\u{E9}\":1,\"e\u{301}\":2}".utf8))
    #expect(value["\u{E9}"] == 1)
    #expect(value["e\u{301}"] == 2)
  }

  @Test("64 levels are allowed, more when asked for")
  func depth() throws {
    func nested(_ levels: Int) -> [UInt8] {
      Array((String(repeating: "[", count: levels) + String(repeating: "]", count: levels)).utf8)
    }
    _ = try JSONValue(parsing: nested(64))
    _ = try JSONValue(parsing: nested(200), depthLimit: 200)
    #expect(throws: JSONError(.tooDeep(limit: 3), at: 3)) {
      _ = try JSONValue(parsing: nested(4), depthLimit: 3)
    }
  }

  static let document =
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,-3.5e+1],\"t\":[true,false,null,\"\\u00e9\\ud83d\\ude00\\n\"]}"
    + ",\"é\":[{},[],\"\",0]} "

  @Test("damaged texts: an error, or a value that Foundation reads too and that is written back")
  func mutations() throws {
    for (seed, bytes) in Mutations(of: Array(Self.document.utf8), count: 20000) {
      guard let value = try? JSONValue(parsing: bytes) else { continue }
      #expect(try JSONValue(parsing: Array(value.text().utf8)) == value, "seed \(seed)")
      #expect(try JSONValue(parsing: Array(value.text(indent: 2).utf8)) == value, "seed \(seed)")
      #expect(throws: Never.self, "seed \(seed)") {
        _ = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
      }
    }
  }

  @Test(
    "a mebibyte of the smallest values takes less than a second",
    arguments: ["0,", "[],", "\"\",", "[[0]],", "{\"\":0},", "\"\\n\","])
  func large(_ piece: String) throws {
    let count = (1 << 20) / piece.utf8.count
    let text = "[" + String(repeating: piece, count: count) + "0]"
    let clock = ContinuousClock()
    let time = try clock.measure {
      let value = try JSONValue(parsing: Array(text.utf8))
      #expect(value.array?.count == count + 1)
    }
    #expect(time < .seconds(1))
  }
}
