import ByteIO
import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt report")
struct ReportTests {
  let folder = TemporaryFolder()
  let model = Fixtures.path("tiny-arithmetic")

  @Test("a run and its package on one page, never replaced unasked")
  func page() throws {
    let (package, run, page) = (folder.file("p"), folder.file("run"), folder.file("r.html"))
    #expect(
      try outcome(Retrofit.self, [model, "--select", "0/1,2/11", "-o", package]).code == 0)
    let trained = try outcome(
      Train.self,
      [
        package, "--data", Fixtures.path("text/heldout.txt"), "-o", run, "--steps", "2",
        "--batch-size", "1", "--sequence-length", "16", "--cache", folder.file("cache"),
      ])
    #expect(trained.code == 0, "\(trained.notes)")
    let done = try outcome(ReportCommand.self, [run, "-o", page])
    #expect(done.code == 0, "\(done.notes)")
    #expect(done.notes.contains("next: ckpt verify \(run)/package"), "\(done.notes)")
    let html = try String(contentsOfFile: page, encoding: .utf8)
    #expect(html.contains("<b>run</b> trained for 2 steps"))
    #expect(html.contains("of which 8 were dropped"))
    #expect(html.contains("match the manifest's digests"))
    #expect(try outcome(ReportCommand.self, [run, package, "-o", page]).code == 6)
    #expect(try outcome(ReportCommand.self, [run, package, "-o", page, "--force"]).code == 0)
    #expect(try outcome(ReportCommand.self, [run, "-o", package + "/r.html"]).code == 6)
  }

  @Test("a damaged package gets a page that says so, and exit code 1")
  func damaged() throws {
    let (package, page) = (folder.file("p"), folder.file("r.html"))
    #expect(
      try outcome(Retrofit.self, [model, "--select", "0/1,2/11", "-o", package]).code == 0)
    let file = try #require(FileHandle(forUpdatingAtPath: package + "/model.safetensors"))
    let end = try file.seekToEnd()
    try file.seek(toOffset: end - 1)
    try file.write(contentsOf: [0x55])
    try file.close()
    let done = try outcome(ReportCommand.self, [package, "-o", page, "--json"])
    #expect(done.code == 1)
    #expect(done.json?["package"]?["integrity"]?.string == "failed")
    let html = try String(contentsOfFile: page, encoding: .utf8)
    #expect(html.contains("are not what its manifest says"))
  }

  @Test("two things that are no runs are refused")
  func tooMany() throws {
    let done = try outcome(ReportCommand.self, [model, model + "/.", "-o", folder.file("r.html")])
    #expect(done.code == 64)
    #expect(done.notes.contains("a report shows one package"))
  }
}
