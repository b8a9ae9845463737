import Foundation
import JSON
import Kernels
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("bf16 operands")
struct PrecisionTests {
  private let folder = TemporaryFolder()

  /// Held-out losses of a run of 24 steps, at r = 1 and 3, every 8 steps.
  private func heldOutLosses(_ precision: Precision, seed: Int) throws -> [Double] {
    let package = folder.file("package")
    if seed == 1, precision == .float32 {
      let source = Fixtures.path("tiny-arithmetic")
      let done = try outcome(
        Retrofit.self, [source, "--prelude", "1", "--core", "2", "--coda", "1", "-o", package])
      #expect(done.code == 0, "\(done.notes)")
    }
    let done = try outcome(
      Train.self,
      [
        package, "-o", folder.file("\(precision)-\(seed)"), "--cache", folder.file("cache"),
        "--data", Fixtures.path("text/corpus.txt"), "--steps", "24", "--batch-size", "4",
        "--sequence-length", "64", "--recurrence", "3", "--optimizer", "adamw", "--precision",
        precision.rawValue, "--seed", "\(seed)", "--set", "optimizer.adam.learning_rate=0.002",
        "--set", "evaluation.every=8", "--set", "evaluation.recurrences=1,3", "--json",
      ])
    #expect(done.code == 0, "\(done.notes)")
    let evaluations = try #require(done.json?["evaluations"]?.array)
    return evaluations.dropFirst().flatMap { evaluation in
      (evaluation["results"]?.array ?? []).compactMap { $0["loss"]?.double }
    }
  }

  private func distance(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { $0 + abs($1.0 - $1.1) } / Double(a.count)
  }

  @Test(
    "training changes the loss curve by less than another seed does",
    .enabled(if: Precision.bf16.isSupported))
  func curve() throws {
    let exact = try (1...3).map { try heldOutLosses(.float32, seed: $0) }
    let seeds = [(0, 1), (0, 2), (1, 2)].map { distance(exact[$0.0], exact[$0.1]) }
    let least = try #require(seeds.min())
    #expect(exact.allSatisfy { $0.count == 6 } && least > 0)
    for seed in 1...2 {
      let rounded = try heldOutLosses(.bf16, seed: seed)
      let change = distance(rounded, exact[seed - 1])
      #expect(change > 0, "bf16 is what ran")
      #expect(change < least, "seed \(seed): \(change), seeds differ by \(seeds)")
    }
  }

  private func loss(_ more: String...) throws -> Double {
    let run = try outcome(
      Eval.self,
      [
        Fixtures.path("tiny-arithmetic"), "--data", Fixtures.path("text/heldout.txt"),
        "--windows", "8", "--sequence-length", "128", "--json",
      ] + more)
    #expect(run.code == 0, "\(run.notes)")
    return try #require(run.json?["results"]?.array?.first?["loss"]?.double)
  }

  @Test("eval's loss hardly changes", .enabled(if: Precision.bf16.isSupported))
  func evaluation() throws {
    let (exact, rounded) = (try loss(), try loss("--precision", "bf16"))
    #expect(exact != rounded, "bf16 is what ran")
    #expect(abs(exact - rounded) < 0.005 * exact)
  }

  /// The first prompt has more than 64 tokens, the other less.
  @Test(
    "prompts in a batch get the tokens that they get alone",
    .enabled(if: Precision.bf16.isSupported))
  func generation() throws {
    let prompts = [String(repeating: "12+7=19; ", count: 20) + "3+4=", "12+7="]
    let file = folder.file("prompts")
    try Data(prompts.joined(separator: "\n").utf8).write(to: URL(filePath: file))
    let more = ["--max-tokens", "8", "--json", "--precision", "bf16"]
    let model = Fixtures.path("tiny-arithmetic")
    let run = try outcome(Generate.self, [model, "--prompts", file] + more)
    #expect(run.code == 0, "\(run.notes)")
    let together = try run.output.split(separator: "\n").map { line in
      try #require(try JSONValue(parsing: Array(line.utf8))["ids"]?.array)
    }
    let alone = try prompts.map { prompt in
      try #require(
        try outcome(Generate.self, [model, "--prompt", prompt] + more).json?["ids"]?.array)
    }
    #expect(together == alone && alone.allSatisfy { $0.count == 8 })
  }

  @Test("a processor without such products", .enabled(if: !Precision.bf16.isSupported))
  func missing() throws {
    let model = Fixtures.path("tiny-arithmetic")
    let run = try outcome(Generate.self, [model, "--prompt", "1+", "--precision", "bf16"])
    #expect(run.code == 4 && run.notes.contains("use the precision float32"))
  }
}
