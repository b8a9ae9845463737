import ArgumentParser
import ByteIO
import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt layers --loops")
struct LoopsTests {
  let folder = TemporaryFolder()
  static let model = Fixtures.path("tiny-arithmetic")
  static let text = Fixtures.path("eval/documents.jsonl")

  /// What transformers makes of loops over the documents.
  static func figures() throws -> JSONValue {
    try JSONValue(
      parsing: Array(Data(contentsOf: URL(filePath: Fixtures.path("eval/figures.json")))))
  }

  @Test("losses are those of transformers' layers, looped by hand", arguments: 0..<5)
  func losses(number: Int) throws {
    let figures = try Self.figures()
    let wanted = try #require(figures["loops"]?.array)[number]
    let (first, last) = (wanted["first"]?.integer ?? 0, wanted["last"]?.integer ?? 0)
    // A single pass is the source, whose loss every search tells.
    let passes = try #require(wanted["passes"]?.integer)
    let damping = try #require(wanted["damping"]?.double)
    let run = try outcome(
      Layers.self,
      [
        Self.model, "--data", Self.text, "--sequence-length", "48", "--windows", "100", "--loops",
        "--recurrence", "\(max(passes, 2))", "--damping", "\(damping)", "--least-core",
        "\(last - first + 1)", "--most-core", "\(last - first + 1)", "--json",
      ])
    #expect(run.code == 0, "\(run.output)")
    let loops = try #require(run.json?["loops"])
    #expect(loops["tokens"]?.integer == figures["documents"]?["tokens"]?.integer)
    let source = try #require(loops["source_loss"]?.double)
    let plain = try #require(figures["documents"]?["loss"]?.double)
    #expect(abs(source - plain) < 1e-5)
    guard passes > 1 else { return }
    let candidates = try #require(loops["candidates"]?.array)
    #expect(candidates.count == 11 - (last - first + 1))
    let found = try #require(candidates.first { $0["first"]?.integer == first })
    let (loss, expected) = (found["loss"]?.double ?? 0, wanted["loss"]?.double ?? 1)
    #expect(abs(loss - expected) < 1e-5, "\(loss) \(expected)")
    let all = candidates.compactMap { $0["loss"]?.double }
    #expect(all == all.sorted())
  }

  /// u = s, from the prelude's output: what an adapter [I | 0] does in a package.
  @Test("undamped loops are packages that ignore the prelude after the first pass")
  func package() throws {
    let package = folder.file("package")
    let made = try outcome(
      Retrofit.self,
      [
        Self.model, "--select", "0-2/3-6/7-11", "--adapter", "state", "--state", "embedding", "-o",
        package, "--json",
      ])
    #expect(made.code == 0, "\(made.output)")
    let scored = try outcome(
      Eval.self,
      [
        package, "--data", Self.text, "--sequence-length", "48", "--recurrence", "3", "--task",
        "loss", "--json",
      ])
    let run = try outcome(
      Layers.self,
      [
        Self.model, "--data", Self.text, "--sequence-length", "48", "--windows", "100", "--loops",
        "--recurrence", "3", "--damping", "1", "--least-core", "4", "--most-core", "4", "--json",
      ])
    let candidates = try #require(run.json?["loops"]?["candidates"]?.array)
    let found = try #require(candidates.first { $0["first"]?.integer == 3 })
    #expect(found["select"]?.string == "0-2/3-6/7-11")
    let loss = try #require(scored.json?["results"]?.array?.first?["loss"]?.double)
    #expect(abs((found["loss"]?.double ?? 0) - loss) < 1e-6)
  }

  @Test("the best are healed, each for the same FLOPs, and ranked anew")
  func healing() throws {
    let recipe = try folder.write(
      Array(
        """
        batch_size: 2
        micro_batch_size: 2
        sequence_length: 64
        data: {sources: [\(Fixtures.path("text/corpus.txt"))]}
        evaluation: {every: 0, rows: 1}
        """.utf8), to: "recipe.yaml")
    let arguments = [
      Self.model, "--data", Self.text, "--sequence-length", "48", "--windows", "4", "--loops",
      "--recurrence", "2", "--least-core", "3", "--most-core", "4", "--heal", "2", "--flops", "3e9",
      "--recipe", recipe, "-o", folder.file("healed"), "--cache", folder.file("cache"),
    ]
    let run = try outcome(Layers.self, arguments + ["--json"])
    #expect(run.code == 0, "\(run.output)")
    let healed = try #require(run.json?["loops"]?["healed"]?.array)
    let candidates = try #require(run.json?["loops"]?["candidates"]?.array)
    #expect(healed.map { $0["select"] } == candidates.prefix(2).map { $0["select"] })
    for one in healed {
      #expect(one["steps"]?.integer ?? 0 > 0)
      let results = try #require(one["results"]?.array)
      #expect(results.map { $0["recurrence"]?.integer } == [1, 2])
      // What is reported is the package's own loss.
      let path = try #require(one["package"]?.string)
      let scored = try outcome(
        Eval.self,
        [
          path, "--data", Self.text, "--sequence-length", "48", "--windows", "4", "--recurrence",
          "2", "--task", "loss", "--json",
        ])
      let loss = try #require(scored.json?["results"]?.array?.first?["loss"]?.double)
      #expect(abs((results[1]["loss"]?.double ?? 0) - loss) < 1e-6)
    }
    // What is there is not overwritten, and nothing is searched before that is said.
    let again = try outcome(Layers.self, arguments + ["--json"])
    #expect(again.code == 6, "\(again.output)")
  }

  @Test("the page names the selection to use, and retrofit takes it")
  func page() throws {
    let run = try outcome(
      Layers.self,
      [
        Self.model, "--data", Self.text, "--sequence-length", "48", "--windows", "2", "--loops",
        "--least-core", "4", "--most-core", "4",
      ])
    #expect(run.code == 0, "\(run.output)")
    let line = try #require(
      run.output.split(separator: "\n").last { $0.contains("--select") })
    let words = line.split(separator: " ").map(String.init)
    let select = words[(words.firstIndex(of: "--select") ?? 0) + 1]
    let dry = try outcome(Retrofit.self, [Self.model, "--select", select, "--dry-run", "--json"])
    #expect(dry.code == 0, "\(dry.output)")
    #expect(dry.json?["layers"]?["dropped"]?.array?.isEmpty == true)
  }

  @Test(
    "bad options are refused",
    arguments: [
      ["--heal", "2"], ["--recurrence", "8"], ["--loops", "--recurrence", "1"],
      ["--loops", "--damping", "0"], ["--loops", "--damping", "1.5"],
      ["--loops", "--damping", "nan"],
      ["--loops", "--least-core", "3", "--most-core", "2"],
      ["--loops", "--heal", "2", "--flops", "1e9", "-o", "x"],
      ["--loops", "--heal", "0", "--flops", "1e9", "-o", "x", "--recipe", "r"],
      ["--loops", "--heal", "1", "--flops", "-1", "-o", "x", "--recipe", "r"],
    ])
  func options(arguments: [String]) {
    #expect(throws: (any Error).self) {
      try Layers.parse([Self.model, "--data", Self.text] + arguments)
    }
  }

  @Test("a recipe without data is refused before the search")
  func noData() throws {
    let recipe = try folder.write(Array("steps: 3\n".utf8), to: "recipe.yaml")
    let run = try outcome(
      Layers.self,
      [
        Self.model, "--data", Self.text, "--sequence-length", "48", "--loops", "--heal", "1",
        "--flops", "1e9", "--recipe", recipe, "-o", folder.file("healed"), "--json",
      ])
    #expect(run.code == 64, "\(run.output)")
    #expect(try pathKind(folder.file("healed")) == nil)
  }

  @Test("no core of that many layers is refused")
  func tooLong() throws {
    let run = try outcome(
      Layers.self,
      [
        Self.model, "--data", Self.text, "--sequence-length", "48", "--loops", "--least-core", "11",
        "--json",
      ])
    #expect(run.code == 64, "\(run.output)")
  }
}
