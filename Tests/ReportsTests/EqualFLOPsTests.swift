import Foundation
import JSON
import TestSupport
import Testing
import Training

@testable import Reports

@Suite("Runs at equal FLOPs")
struct EqualFLOPsTests {
  let folder = TemporaryFolder()

  /// A run of `steps` steps of `cost` FLOPs each, with held-out losses after some of them.
  private func run(
    _ name: String, steps: Int, cost: Double, losses: [Int: Double], recurrence: Int? = 4
  ) throws -> RunSummary {
    let path = folder.file(name)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let records = (1...steps).map { number in
      StepRecord(
        step: number, tokens: number, loss: 1, meanRecurrence: 4, recurrence: 4, backpropDepth: 4,
        learningRate: 1, gradientNorm: 1, tokensPerSecond: 1, flops: 1,
        fullFLOPs: Double(number) * cost, seconds: 1
      ).json.text() + "\n"
    }
    let evaluations = losses.sorted { $0.key < $1.key }.map { step, loss in
      EvaluationRecord(
        step: step, tokens: step, results: [.init(recurrence: recurrence, loss: loss)]
      ).json.text() + "\n"
    }
    for (file, lines) in [("metrics.jsonl", records), ("evaluations.jsonl", evaluations)] {
      try lines.joined().write(toFile: path + "/" + file, atomically: true, encoding: .utf8)
    }
    return try RunSummary(path)
  }

  @Test("the cheapest run decides; others are read on the line between two evaluations")
  func interpolates() throws {
    let cheap = try run("cheap", steps: 10, cost: 3, losses: [0: 5, 10: 2], recurrence: nil)
    let dear = try run("dear", steps: 10, cost: 4, losses: [0: 6, 5: 4, 10: 3])
    let comparison = try #require(
      EqualFLOPs([.init(name: "a", runs: [cheap]), .init(name: "b", runs: [dear])]))
    #expect(comparison.flops == 30)
    #expect(
      comparison.results(of: comparison.groups[0])
        == [.init(recurrence: nil, mean: 2, margin: nil)])
    // 30 FLOPs are half of the way from 20 to 40.
    #expect(
      comparison.results(of: comparison.groups[1])
        == [.init(recurrence: 4, mean: 3.5, margin: nil)])
  }

  @Test("the interval of a mean is Student's")
  func margin() throws {
    let losses = [1.0, 1.2, 1.1, 1.4, 1.3]
    let runs = try losses.enumerated().map { number, loss in
      try run("run-\(number)", steps: 2, cost: 1, losses: [0: 9, 2: loss])
    }
    let comparison = try #require(EqualFLOPs([.init(name: "a", runs: runs)]))
    let result = try #require(comparison.results(of: comparison.groups[0]).first)
    #expect(abs(result.mean - 1.2) < 1e-12)
    // Standard deviation 0.15811, over √5, times 2.776.
    #expect(abs(try #require(result.margin) - 0.19629) < 1e-4)
  }

  /// Values of printed tables of the distribution.
  @Test(
    "quantiles of few and of many degrees of freedom",
    arguments: [
      (1, 12.706), (4, 2.776), (10, 2.228), (11, 2.201), (15, 2.131), (30, 2.042), (120, 1.980),
    ])
  func quantiles(freedom: Int, wanted: Double) {
    #expect(abs(EqualFLOPs.studentQuantile(freedom) - wanted) < 1e-3)
  }

  @Test("a run that was never evaluated cannot be compared")
  func missing() throws {
    let good = try run("good", steps: 2, cost: 1, losses: [2: 1])
    let bare = try run("bare", steps: 2, cost: 1, losses: [:])
    #expect(EqualFLOPs([.init(name: "a", runs: [good, bare])]) == nil)
  }
}
