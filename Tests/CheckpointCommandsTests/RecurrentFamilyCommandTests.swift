import ByteIO
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

/// Ouro and Huginn are taken as they are; what no package and no exported folder can say is refused.
@Suite("commands on families that recur by themselves")
struct RecurrentFamilyCommandTests {
  private let folder = TemporaryFolder()

  private static let models = [("ouro-default", "ouro"), ("huginn-default", "huginn_raven")]

  private func source(_ name: String) -> String { Fixtures.path("recurrent/\(name)/model") }

  @Test("retrofit and every export refuse them by name, and write nothing", arguments: models)
  func refuses(name: String, family: String) throws {
    func code(_ done: Outcome) -> String? {
      done.json?["errors"]?.array?.first?["code"]?.string
    }
    let target = folder.file("out")
    for options in [["--prelude", "1", "--core", "1", "--coda", "1"], []] {
      let done = try outcome(
        Retrofit.self, [source(name), "-o", target, "--json"] + options)
      #expect(done.code == 4)
      #expect(code(done) == "retrofit.recurs_by_itself")
      #expect(done.output.contains("models of \(family) recur by themselves"))
    }
    for options in [["transformers"], ["mlx"], ["unrolled", "--recurrence", "2"]] {
      let done = try outcome(
        Export.self, [source(name), "-o", target, "--json", "--to"] + options)
      #expect(done.code == 4)
      #expect(code(done) == "export.recurs_by_itself")
      #expect(done.output.contains("models of \(family) recur by themselves"))
    }
    #expect(try pathKind(target) == nil)
  }

  @Test("a GGUF file holds them as this tool reads them back, to the bit", arguments: models)
  func converts(name: String, family: String) throws {
    let file = folder.file("out.gguf")
    let converted = try outcome(Convert.self, [source(name), "-o", file, "--json"])
    #expect(converted.code == 0, "\(converted.output)")
    #expect(try outcome(Diff.self, [source(name), file]).code == 0)
    let read = try outcome(Inspect.self, [file, "--json"])
    let original = try outcome(Inspect.self, [source(name), "--json"])
    #expect(read.json?["parameters"] == original.json?["parameters"])
    #expect(read.json?["architecture"] == original.json?["architecture"])
  }

  @Test("verify does not send to a package that cannot be made", arguments: models)
  func verifies(name: String, family: String) throws {
    let done = try outcome(Verify.self, [source(name), "--json"])
    #expect(done.code == 0)
    #expect(done.json?["verdict"] == "consistent")
    #expect(!done.output.contains("ckpt retrofit"))
  }
}
