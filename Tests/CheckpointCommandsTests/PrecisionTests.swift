import JSON
import Kernels
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("training with bf16 operands")
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

  @Test("changes the loss curve by less than another seed does")
  func curve() throws {
    guard Precision.bf16.isSupported else { return }
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
}
