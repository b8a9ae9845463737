import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("--weights q8_0")
struct WeightStorageTests {
  private let folder = TemporaryFolder()
  private let model = Fixtures.path("tiny-arithmetic")
  private let text = Fixtures.path("text/heldout.txt")

  private func loss(_ model: String, _ more: String...) throws -> Double {
    let run = try outcome(
      Eval.self,
      [model, "--data", text, "--windows", "4", "--sequence-length", "48", "--json"] + more)
    #expect(run.code == 0, "\(run.notes)")
    return try #require(run.json?["results"]?.array?.first?["loss"]?.double)
  }

  /// A GGUF file of that type has been held against llama.cpp's reader elsewhere.
  @Test("weights rounded in memory are those of a Q8_0 file, and near the stored ones")
  func rounded() throws {
    let file = folder.file("m.gguf")
    let done = try outcome(Convert.self, [model, "-o", file, "--dtype", "q8_0"])
    #expect(done.code == 0, "\(done.notes)")
    let (stored, held, written) = (
      try loss(model), try loss(model, "--weights", "q8_0"), try loss(file)
    )
    #expect(abs(held - written) < 1e-5 * written)
    #expect(abs(held - stored) < 0.01 && held != stored)
  }

  @Test("a package decodes with them, in batches as alone")
  func decoding() throws {
    let package = folder.file("p")
    let made = try outcome(
      Retrofit.self, [model, "--select", "0,1/4-6/10,11", "--adapter", "average", "-o", package])
    #expect(made.code == 0)
    let more = ["--weights", "q8_0", "--recurrence", "3", "--max-tokens", "6", "--json"]
    let alone = try outcome(Generate.self, [package, "--prompt", "12+7="] + more)
    #expect(alone.code == 0, "\(alone.notes)")
    #expect(alone.json?["ids"]?.array?.count == 6)
  }
}
