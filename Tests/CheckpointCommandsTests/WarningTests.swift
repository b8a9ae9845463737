import ByteIO
import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("warnings")
struct WarningTests {
  private let folder = TemporaryFolder()

  /// Shards whose headers end where JSON does, as some writers leave them.
  private func shards(_ count: Int) throws {
    var map: [String] = []
    for i in 0..<count {
      let name = "model-\(i).safetensors"
      var header = "{\"t\(i)\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}"
      while header.utf8.count % 8 != 1 { header.append(" ") }
      var length = UInt64(header.utf8.count).littleEndian
      try folder.write(
        [UInt8](Data(bytes: &length, count: 8)) + Array(header.utf8) + [7], to: "m/" + name)
      map.append("\"t\(i)\":\"\(name)\"")
    }
    let index = "{\"metadata\":{},\"weight_map\":{\(map.joined(separator: ","))}}"
    try folder.write(Array(index.utf8), to: "m/model.safetensors.index.json")
  }

  @Test("of one kind are one line with their number; the document has them all")
  func collapsed() throws {
    try shards(12)
    let page = try outcome(Inspect.self, [folder.file("m")])
    #expect(page.code == 0)
    let lines = page.notes.split(separator: "\n").filter { $0.contains("st.header_unaligned") }
    #expect(lines.count == 1)
    #expect(lines.first?.contains("m/model-0.safetensors") == true)
    #expect(lines.first?.hasSuffix("(and 11 more like it)") == true)
    let json = try outcome(Inspect.self, [folder.file("m"), "--json"]).json
    let codes = json?["warnings"]?.array?.compactMap { $0["code"]?.string }
    #expect(codes?.filter { $0 == "st.header_unaligned" }.count == 12)
  }

  @Test("that say different things stay lines of their own")
  func different() {
    let warnings = [
      Warning("pt.dangerous_name", "the pickle names os.system", file: "a"),
      Warning("pt.dangerous_name", "the pickle names builtins.eval", file: "a"),
      Warning("zip.hole", "3 stretches belong to none", file: "a"),
      Warning("zip.hole", "4 stretches belong to none", file: "b"),
    ]
    #expect(
      Warning.lines(warnings) == [
        "warning: a: the pickle names os.system [pt.dangerous_name]",
        "warning: a: the pickle names builtins.eval [pt.dangerous_name]",
        "warning: a: 3 stretches belong to none [zip.hole] (and 1 more like it)",
      ])
  }
}
