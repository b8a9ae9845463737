import JSON
import Testing

@Suite("JSON writer")
struct WriterTests {
  @Test("one line, or one member a line with flat lists kept together")
  func layout() {
    let value: JSONValue = [
      "shape": [1, 2], "empty": [], "none": .object([:]), "parts": [["a": 1.5], [true, .null]],
    ]
    #expect(
      value.text()
        == "{\"shape\":[1,2],\"empty\":[],\"none\":{},\"parts\":[{\"a\":1.5},[true,null]]}")
    #expect(
      value.text(indent: 2) == """
        {
          "shape": [1, 2],
          "empty": [],
          "none": {},
          "parts": [
            {
              "a": 1.5
            },
            [true, null]
          ]
        }
        """)
  }

  @Test("escapes what must be, and nothing else")
  func escapes() {
    #expect(
      JSONValue.string("\"\\/\n\r\t\u{8}\u{1F}\u{7F}é😀").text()
        == "\"\\\"\\\\/\\n\\r\\t\\b\\u001f\u{7F}é😀\"")
  }

  @Test(
    "doubles read back as themselves",
    arguments: [0, -0.0, 0.1, 1e-5, 1e300, .leastNonzeroMagnitude, 9_007_199_254_740_992, 1.0 / 3])
  func doubles(_ value: Double) throws {
    let read = try JSONValue(parsing: Array(JSONValue(value).text().utf8)).double
    #expect(read?.bitPattern == value.bitPattern)
  }

  @Test("what is no number becomes its name")
  func notFinite() {
    #expect(JSONValue(Double.nan) == "NaN")
    #expect(JSONValue(-Double.infinity) == "-Infinity")
    #expect(JSONValue(Float(0.1)).text() == "0.1")
  }

  @Test("members are set, replaced, removed and sorted by the bytes of their keys")
  func members() {
    var object: JSONObject = ["b": 1, "a": 2]
    object["é"] = 3
    object["b"] = 4
    object["a"] = nil
    object["B"] = 5
    #expect(JSONValue.object(object).text() == "{\"b\":4,\"é\":3,\"B\":5}")
    #expect(object.sorted.members.map(\.key) == ["B", "b", "é"])
  }
}
