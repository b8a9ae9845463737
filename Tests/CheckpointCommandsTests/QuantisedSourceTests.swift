import ByteIO
import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("quantised sources")
struct QuantisedSourceTests {
  private let folder = TemporaryFolder()

  /// A copy of the golden Llama whose configuration says what quantised it.
  private func quantised(_ config: JSONObject) throws -> String {
    let path = folder.file("quantised")
    try FileManager.default.copyItem(
      atPath: Fixtures.path("golden/tiny-llama/source"), toPath: path)
    let file = path + "/config.json"
    let bytes = try ByteRegion(path: file).contents(limit: 1 << 20)
    var object = try #require(try JSONValue(parsing: bytes, path: file).object)
    for member in config.members { object[member.key] = member.value }
    try JSONValue.object(object).text().write(toFile: file, atomically: true, encoding: .utf8)
    return path
  }

  @Test("are refused by name in every command that would read their codes as weights")
  func refused() throws {
    let model = try quantised(["quantization_config": ["quant_method": "fp8"]])
    let outcomes = [
      try outcome(Convert.self, [model, "-o", folder.file("out")]),
      try outcome(
        Retrofit.self, [model, "--prelude", "1", "--core", "1", "--coda", "1", "--dry-run"]),
      try outcome(Layers.self, [model, "--data", Fixtures.path("text/heldout.txt")]),
      try outcome(Diff.self, [model, Fixtures.path("golden/tiny-llama/source")]),
    ]
    for outcome in outcomes {
      #expect(outcome.code == 4, "\(outcome.notes)")
      #expect(outcome.notes.contains("model.quantised") && outcome.notes.contains("fp8"))
    }
    #expect(try pathKind(folder.file("out")) == nil)
  }
}
