import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

/// What README says of fixtures/tiny-sums.
@Suite("More recurrences answer more questions")
struct DepthPaysTests {
  let folder = TemporaryFolder()

  @Test("sums of fourteen terms: from about half to nine of ten")
  func sums() throws {
    let all = try String(contentsOfFile: Fixtures.path("eval/long-sums.jsonl"), encoding: .utf8)
    let asked = all.split(separator: "\n").filter { $0.contains("\"steps\": 13,") }
    #expect(asked.count == 150)
    let file = try folder.write(Array(asked.joined(separator: "\n").utf8), to: "sums.jsonl")
    let run = try outcome(
      Eval.self,
      [
        Fixtures.path("tiny-sums"), "--data", file, "--task", "answers", "--recurrence", "1,2,4",
        "--batch-size", "32", "--json",
      ])
    #expect(run.code == 0, "\(run.output)")
    let exact = try #require(run.json?["results"]?.array).map { $0["exact"]?.double ?? .nan }
    try #require(exact.count == 3)
    // Measured: 0.54, 0.84, 0.893; other processors round otherwise.
    #expect(abs(exact[0] - 0.54) < 0.03)
    #expect(abs(exact[1] - 0.84) < 0.03)
    #expect(abs(exact[2] - 0.893) < 0.03)
  }

  @Test("the shipped package is what its manifest says")
  func verifies() throws {
    let run = try outcome(Verify.self, [Fixtures.path("tiny-sums"), "--json"])
    #expect(run.code == 0, "\(run.output)")
  }
}
