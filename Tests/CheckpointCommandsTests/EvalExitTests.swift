import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

/// What stopping early costs, beside passes that were counted without it.
@Suite("ckpt eval: tokens that stop recurring early")
struct EvalExitTests {
  let folder = TemporaryFolder()
  let documents = Fixtures.path("eval/completions.jsonl")

  private func package() throws -> String {
    let path = folder.file("p")
    let options = ["--select", "0-1/6-9/10-11", "--state", "zero", "--adapter", "average"]
    let made = try outcome(
      Retrofit.self, [Fixtures.path("tiny-arithmetic"), "-o", path] + options)
    #expect(made.code == 0, "\(made.notes)")
    return path
  }

  private func results(_ package: String, _ more: [String]) throws -> [JSONValue] {
    let run = try outcome(
      Eval.self, [package, "--data", documents, "--task", "answers", "--json"] + more)
    #expect(run.code == 0, "\(run.output)")
    return try #require(run.json?["results"]?.array)
  }

  private func expectEqual(_ a: JSONValue, _ b: JSONValue) throws {
    #expect(a["exact"]?.double == b["exact"]?.double)
    let (nats, other) = (try #require(a["nats"]?.double), try #require(b["nats"]?.double))
    #expect(abs(nats - other) <= 2e-5 * other)
  }

  @Test("a limit that is never met makes all passes, one that is met at once makes one")
  func ends() throws {
    let package = try package()
    let early = try results(package, ["--recurrence", "4", "--exit", "latent:1e9,1e-30"])
    let full = try results(package, ["--recurrence", "1,4"])
    #expect(early.map { $0["exit"]?.string } == ["latent:1e9", "latent:1e-30"])
    #expect(early.map { $0["recurrences"]?.double } == [1, 4])
    #expect(full.allSatisfy { $0["exit"] == nil && $0["recurrences"] == nil })
    for (a, b) in zip(early, full) { try expectEqual(a, b) }
  }

  @Test(
    "a smaller limit takes more passes; the batch changes nothing", arguments: ["latent", "kl"])
  func between(rule: String) throws {
    let package = try package()
    let limits = rule == "latent" ? "0.5,0.1,0.02" : "1e-2,1e-4,1e-6"
    let options = ["--recurrence", "8", "--exit", "\(rule):\(limits)", "--limit", "12"]
    let samples = folder.file("samples.jsonl")
    let together = try results(package, options + ["--samples", samples])
    let means = together.compactMap { $0["recurrences"]?.double }
    #expect(means == means.sorted() && Set(means).count == 3 && means[0] < 8)
    let lines = try String(contentsOfFile: samples, encoding: .utf8).split(separator: "\n")
      .map { try JSONValue(parsing: Array($0.utf8), path: "sample") }
    #expect(lines.count == 36 && lines.last?["exit"]?.string == "\(rule):\(limits.suffix(4))")
    let own = lines.prefix(12).compactMap { $0["recurrences"]?.double }
    #expect(abs(own.reduce(0, +) / 12 - means[0]) < 1e-12)
    #expect(try results(package, options + ["--batch-size", "1"]) == together)
  }

  @Test("answers tell how many passes their tokens took")
  func answers() throws {
    let package = try package()
    let questions = try folder.write(
      Array(#"{"question": "12+7=", "answer": "19"}"#.utf8), to: "questions.jsonl")
    let options = ["--recurrence", "8", "--template", "{question}", "--max-tokens", "3", "--json"]
    let run = try outcome(
      Eval.self, [package, "--data", questions, "--exit", "latent:0.5"] + options)
    let mean = try #require(run.json?["results"]?.array?.first?["recurrences"]?.double)
    // The first token comes of the prompt, which makes all passes.
    let made = try outcome(
      Generate.self,
      [
        package, "--prompt", "12+7=", "--exit", "latent:0.5", "--recurrence", "8", "--max-tokens",
        "3", "--json",
      ])
    let depths = try #require(made.json?["recurrences"]?.array).compactMap(\.integer)
    #expect(depths.first == 8 && depths.contains { $0 < 8 })
    #expect(mean == Double(depths.reduce(0, +)) / Double(depths.count))
  }

  @Test("what cannot be asked is refused")
  func refusals() throws {
    let package = try package()
    let loss = try outcome(
      Eval.self,
      [package, "--data", Fixtures.path("text/heldout.txt"), "--exit", "kl:1e-3", "--json"])
    #expect(loss.code == 64)
    let source = try outcome(
      Eval.self,
      [Fixtures.path("tiny-arithmetic"), "--data", documents, "--exit", "kl:1e-3", "--json"])
    #expect(source.code == 4)
    for text in ["kl", "kl:", "latent:0.1,", "latent:0", "head:0.5", "latent:nan"] {
      #expect(ExitList(argument: text) == nil, "\(text)")
    }
  }
}
