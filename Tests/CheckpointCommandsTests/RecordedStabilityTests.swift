import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

/// The certificate that `ckpt verify` leaves in a package, on a page and in a card.
@Suite("the certificate of a package")
struct RecordedStabilityTests {
  private let folder = TemporaryFolder()
  private let text = Fixtures.path("text/heldout.txt")

  private func package(_ name: String, adapter: String = "average") throws -> String {
    let path = folder.file(name)
    let made = try outcome(
      Retrofit.self,
      [Fixtures.path("tiny-arithmetic"), "--select", "0,1/4-6/10,11", "--adapter", adapter]
        + ["-o", path])
    #expect(made.code == 0, "\(made.notes)")
    return path
  }

  /// Measures a package, and leaves the report in it.
  private func certify(_ package: String) throws -> JSONValue {
    let run = try outcome(
      Verify.self,
      [package, "--stability", text, "--sequence-length", "32", "--windows", "1"]
        + ["--report", package + "/VERIFICATION.json", "--force", "--json"])
    #expect(run.code == 0, "\(run.notes)")
    let checks = try #require(run.json?["checks"]?.array)
    return try #require(checks.first { $0["name"]?.string == "stability" }?["measures"])
  }

  private func page(_ package: String) throws -> (run: Outcome, html: String) {
    let path = folder.file("page.html")
    let run = try outcome(
      ReportCommand.self, [package, "-o", path, "--force", "--json"])
    return (run, (try? String(contentsOfFile: path, encoding: .utf8)) ?? "")
  }

  private func card(_ package: String, _ more: String...) throws -> String {
    let path = folder.file("exported")
    let run = try outcome(
      Export.self, [package, "--to", "transformers", "-o", path, "--force"] + more)
    #expect(run.code == 0, "\(run.notes)")
    return try String(contentsOfFile: path + "/README.md", encoding: .utf8)
  }

  @Test("is on the page and in the exported card, as it was measured")
  func shown() throws {
    let package = try package("p")
    let before = try page(package)
    #expect(before.run.json?["package"]?["stability"] == .null)
    #expect(!before.html.contains("<h2>How deep is safe"))
    let words = before.html.replacing(/<\/?span>/, with: "")
    #expect(words.contains("--report \(package)/VERIFICATION.json"))
    #expect(try !card(package).contains("## How deep is safe"))

    let measured = try certify(package)
    let verdict = try #require(measured["stability"]?.string)
    let range = try #require(measured["safe_recurrences"]?.array).compactMap(\.integer)
    let losses = try #require(measured["depths"]?.array).compactMap { $0["loss"]?.double }
    #expect(range.count == 2 && losses.count == 7)
    let after = try page(package)
    #expect(after.run.code == 0 && after.run.json?["package"]?["stability"]?.string == verdict)
    let card = try card(package)
    for shown in [after.html, card] {
      #expect(shown.contains("How deep is safe") && shown.contains("the state \(verdict):"))
      #expect(shown.contains("r = \(range[0]) to \(range[1]) within"))
      for loss in losses { #expect(shown.contains(String(format: "%.4f", loss)), "\(loss)") }
    }
    #expect(after.html.contains("Loss by recurrence") && after.html.contains("Step of the state"))
    // Exported again, the section is not there twice; with other weights, not at all.
    #expect(card.components(separatedBy: "## How deep is safe").count == 2)
    #expect(try !self.card(package, "--dtype", "bf16").contains("## How deep is safe"))
  }

  @Test("of other weights, it is never shown")
  func stale() throws {
    let (first, second) = (try package("p"), try package("q", adapter: "prelude"))
    _ = try certify(first)
    try FileManager.default.copyItem(
      atPath: first + "/VERIFICATION.json", toPath: second + "/VERIFICATION.json")
    let page = try page(second)
    #expect(page.run.code == 0 && page.run.json?["package"]?["stability"]?.string == "stale")
    #expect(page.html.contains("is about another package"))
    #expect(!page.html.contains("nats of the lowest loss"))
    #expect(try !card(second).contains("## How deep is safe"))
  }

  @Test("a report without one says nothing; what is no report is refused")
  func others() throws {
    let package = try package("p")
    let plain = try outcome(
      Verify.self, [package, "--report", package + "/VERIFICATION.json", "--json"])
    #expect(plain.code == 0)
    let unmeasured = try page(package)
    #expect(unmeasured.run.json?["package"]?["stability"] == .null)
    let checks = try #require(plain.json?["checks"]?.array)
    let asked = checks.count { $0["verdict"]?.string == "passed" }
    #expect(asked > 1 && asked < checks.count)
    #expect(
      unmeasured.html.contains(
        "\(asked) of \(checks.count) checks; the other \(checks.count - asked) could"))
    let report = try String(contentsOfFile: package + "/VERIFICATION.json", encoding: .utf8)
    try folder.write(
      Array(report.replacing("\"verdict\": \"passed\"", with: "\"verdict\": \"failed\"").utf8),
      to: "p/VERIFICATION.json")
    #expect(try page(package).html.contains("failed</b>: \(asked) of \(checks.count) checks"))
    _ = try certify(package)
    let good = try String(contentsOfFile: package + "/VERIFICATION.json", encoding: .utf8)
    let measures = try #require(good.firstRange(of: "\"measures\""))
    for bad in [
      "", "[]", "{\"schema\": \"ckpt.verify/1\"}", String(good[..<measures.lowerBound]),
      good.replacing("\"recurrence\": 64", with: "\"recurrence\": 1"),
      good.replacing("\"recurrence\": 64", with: "\"recurrence\": -64"),
      good.replacing("\"windows\": 1", with: "\"windows\": \"1\""),
      good.replacing("\"stability\": \"settles\"", with: "\"stability\": \"explodes\"")
        .replacing("\"stability\": \"drifts\"", with: "\"stability\": \"explodes\""),
    ] {
      #expect(bad != good)
      try Data(bad.utf8).write(to: URL(filePath: package + "/VERIFICATION.json"))
      let run = try page(package).run
      #expect(run.code == 3, "\(bad.prefix(80))")
      #expect(run.json?["errors"]?.array?.first?["code"]?.string == "verify.malformed_report")
      let exported = try outcome(
        Export.self, [package, "--to", "transformers", "-o", folder.file("e"), "--json"])
      #expect(exported.code == 3)
    }
  }
}
