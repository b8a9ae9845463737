import Foundation
import TestSupport
import Testing

@testable import CheckpointCommands

/// The tiny models of Scripts/make_family_fixtures.py, through the commands that people use.
@Suite("families through the commands")
struct FamilyCommandTests {
  private let folder = TemporaryFolder()

  static let names: [String] = {
    let names = try? FileManager.default.contentsOfDirectory(atPath: Fixtures.path("families"))
    return (names ?? []).filter { $0.contains("-") }.sorted()
  }()

  @Test(
    "a retrofit with gaps verifies against its source, with every fault caught; so does the other dialect",
    arguments: names, ["raven", "native"])
  func retrofit(name: String, dialect: String) throws {
    let source = Fixtures.path("families/\(name)/model")
    let package = folder.file("package")
    let made = try outcome(
      Retrofit.self,
      [source, "--select", "0-1/3-4/5", "--dialect", dialect, "-o", package, "-q"])
    try #require(made.code == 0, "\(made.notes)")
    let verified = try outcome(Verify.self, [package, "--source", source, "--self-test", "-q"])
    #expect(verified.code == 0, "\(verified.output) \(verified.notes)")
  }

  @Test("inspect names what differs in the blocks")
  func inspect() throws {
    let cases = [
      ("gemma2-default", ["norms before and after", "window of 5", "GELU (tanh)", "tied head"]),
      ("smollm3-default", ["layers without positions"]), ("olmo3-default", ["norms after"]),
    ]
    for (name, traits) in cases {
      let seen = try outcome(Inspect.self, [Fixtures.path("families/\(name)/model")]).output
      for trait in traits { #expect(seen.contains(trait), "\(name): \(trait)") }
    }
  }
}
