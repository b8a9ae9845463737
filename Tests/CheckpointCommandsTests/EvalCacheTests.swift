import ArgumentParser
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt eval --cache-window")
struct EvalCacheTests {
  private let folder = TemporaryFolder()

  private func package() throws -> String {
    let path = folder.file("p")
    let made = try outcome(
      Retrofit.self,
      [Fixtures.path("tiny-arithmetic"), "--select", "0,1/4-6/10,11", "--adapter", "average"]
        + ["-o", path])
    #expect(made.code == 0, "\(made.notes)")
    return path
  }

  private func results(_ package: String, _ data: String, _ more: String...) throws -> [JSONValue] {
    let run = try outcome(
      Eval.self,
      [package, "--data", Fixtures.path(data), "--sequence-length", "48", "--json"] + more)
    #expect(run.code == 0, "\(run.notes)")
    return try #require(run.json?["results"]?.array)
  }

  /// Documents are packed and see nothing of each other; a window of r keeps all there is.
  @Test(
    "token by token over the whole cache, the loss is that of one pass",
    arguments: ["text/heldout.txt", "eval/documents.jsonl"], ["1", "3"])
  func whole(data: String, batch: String) throws {
    let package = try package()
    let plain = try results(
      package, data, "--recurrence", "1,5", "--windows", "4", "--seeds", "2")
    let decoded = try results(
      package, data, "--recurrence", "1,5", "--windows", "4", "--seeds", "2", "--cache-window",
      "5,9", "--batch-size", batch)
    #expect(decoded.count == 4)
    for (i, result) in decoded.enumerated() {
      let wanted = try #require(plain[i / 2]["loss"]?.double)
      #expect(abs((result["loss"]?.double ?? 0) - wanted) < 1e-5 * wanted)
      #expect(result["tokens"] == plain[i / 2]["tokens"])
      #expect(result["cache_window"]?.integer == [5, 9][i % 2])
    }
  }

  @Test("a smaller window has fewer bytes a token, and another loss")
  func small() throws {
    let results = try results(
      try package(), "text/heldout.txt", "--recurrence", "6", "--windows", "2", "--cache-window",
      "1,2,6")
    let width = 2 * 4 * 32  // keys and values of two heads of 16 floats
    #expect(results.map { $0["cache_bytes"]?.integer } == [7, 10, 22].map { $0 * width })
    let losses = results.compactMap { $0["loss"]?.double }
    #expect(Set(losses).count == 3 && losses.allSatisfy { $0.isFinite })
  }

  @Test("it is of a text's loss, and of a model that recurs")
  func refusals() throws {
    let package = try package()
    let questions = try outcome(
      Eval.self,
      [package, "--data", Fixtures.path("eval/sums.jsonl"), "--cache-window", "1", "--json"])
    #expect(questions.code == 64)
    let plain = try outcome(
      Eval.self,
      [Fixtures.path("tiny-arithmetic"), "--data", Fixtures.path("text/heldout.txt")]
        + ["--cache-window", "1", "--json"])
    #expect(plain.json?["errors"]?.array?.first?["code"]?.string == "model.not_recurrent")
    #expect(throws: (any Error).self) {
      try Eval.parse(["m", "--data", "f", "--cache-window", "0"])
    }
  }
}
