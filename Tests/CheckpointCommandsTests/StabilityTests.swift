import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt verify --stability")
struct StabilityTests {
  private let folder = TemporaryFolder()
  private let model = Fixtures.path("tiny-arithmetic")
  private let text = Fixtures.path("text/heldout.txt")

  private func package(_ adapter: String) throws -> String {
    let path = folder.file(adapter)
    let made = try outcome(
      Retrofit.self,
      [model, "--select", "0,1/4-6/10,11", "--adapter", adapter, "--state", "zero", "-o", path])
    #expect(made.code == 0, "\(made.notes)")
    return path
  }

  private func verify(_ package: String, _ more: String...) throws -> Outcome {
    try outcome(
      Verify.self,
      [package, "--stability", text, "--sequence-length", "32", "--windows", "2"] + more)
  }

  /// The certificate's member of the report.
  private func measures(_ run: Outcome) throws -> JSONValue {
    let checks = try #require(run.json?["checks"]?.array)
    return try #require(checks.first { $0["name"]?.string == "stability" }?["measures"])
  }

  /// An adapter that passes the prelude alone makes a map that does not read the state: it is at rest
  /// after one pass, and its derivative is 0.
  @Test("a core that does not read its state settles at once, and every r is safe")
  func constant() throws {
    let run = try verify(try package("prelude"), "--json")
    #expect(run.code == 0, "\(run.notes)")
    let found = try measures(run)
    #expect(found["stability"]?.string == "settles")
    #expect(found["safe_recurrences"]?.array?.compactMap(\.integer) == [1, 64])
    #expect(found["windows"]?.integer == 2 && found["tokens"]?.integer == 62)
    for depth in try #require(found["depths"]?.array) {
      #expect(depth["settling"]?.double == 0)
      if let radius = depth["spectral_radius"]?.double { #expect(radius == 0) }
    }
  }

  @Test("the losses are those of ckpt eval; the table is printed for a person")
  func losses() throws {
    let package = try package("average")
    let found = try measures(try verify(package, "--json"))
    let evaluated = try outcome(
      Eval.self,
      [package, "--data", text, "--sequence-length", "32", "--windows", "2", "--recurrence"]
        + ["1,2,4,8,16,32,64", "--json"])
    let losses = try #require(evaluated.json?["results"]?.array).map { $0["loss"]?.double ?? 0 }
    let depths = try #require(found["depths"]?.array)
    for (depth, loss) in zip(depths, losses) {
      #expect(abs((depth["loss"]?.double ?? 0) - loss) < 1e-4 * loss, "\(depth)")
    }
    #expect(depths.count == losses.count)
    #expect(depths.first?["spectral_radius"]?.double ?? 0 > 0)
    let page = try verify(package)
    #expect(page.output.contains("spectral radius") && page.output.contains("stability"))
  }

  @Test("no text is told, and weights that are no numbers are not run")
  func refusals() throws {
    let package = try package("average")
    let short = folder.file("short.txt")
    try Data("1+1=2".utf8).write(to: URL(filePath: short))
    let run = try outcome(Verify.self, [package, "--stability", short, "--json"])
    #expect(run.code == 64)
    #expect(run.json?["errors"]?.array?.first?["message"]?.string?.contains("fewer than") == true)
    let missing = try outcome(
      Verify.self, [package, "--stability", folder.file("none"), "--json"])
    #expect(missing.code == 5)
    let long = try outcome(
      Verify.self, [package, "--stability", text, "--sequence-length", "100000", "--json"])
    #expect(long.code != 0 && long.code != 70)
  }
}
