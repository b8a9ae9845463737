import ArgumentParser
import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt generate --draft-recurrence")
struct GenerateDraftTests {
  private let model = Fixtures.path("tiny-arithmetic")
  private let folder = TemporaryFolder()

  private func package(_ adapter: String) throws -> String {
    let path = folder.file(adapter)
    let made = try outcome(
      Retrofit.self, [model, "--select", "0,1/4-6/10,11", "--adapter", adapter, "-o", path])
    #expect(made.code == 0, "\(made.notes)")
    return path
  }

  private func generate(_ package: String, _ more: [String]) throws -> Outcome {
    try outcome(Generate.self, [package, "--prompt", "12+7=", "--recurrence", "6"] + more)
  }

  @Test(
    "greedy or drawn, stopped or not, the text is the one without a draft",
    arguments: [
      ["--max-tokens", "30"], ["--max-tokens", "1"], ["--max-tokens", "40", "--stop", "."],
      ["--max-tokens", "30", "--temperature", "0.8", "--top-k", "20", "--seed", "3"],
      ["--max-tokens", "20", "--weights", "q8_0"],
    ], ["1", "2:1", "5:63"])
  func same(options: [String], draft: String) throws {
    let package = try package("average")
    let plain = try generate(package, options + ["--json"])
    let drafted = try generate(package, options + ["--json", "--draft-recurrence", draft])
    #expect(drafted.code == 0, "\(drafted.notes)")
    for member in ["ids", "text", "finish_reason", "recurrences", "cache_entries"] {
      #expect(drafted.json?[member] == plain.json?[member], "\(member)")
    }
    #expect(plain.json?["drafted"] == nil)
    let guessed = try #require(drafted.json?["drafted"]?.integer)
    let accepted = try #require(drafted.json?["accepted"]?.integer)
    #expect((0...guessed).contains(accepted))
  }

  /// An adapter that passes the prelude alone makes every pass the first one again, so that no guess is
  /// wrong: after the prompt's token there are 9 left, 1 + 3 in each of two rounds, and the last alone.
  @Test("guesses that cannot be wrong are all accepted, and there are as many as there is use for")
  func counts() throws {
    let package = try package("prelude")
    let run = try generate(
      package, ["--max-tokens", "10", "--draft-recurrence", "1:3", "--json"])
    #expect(run.json?["finish_reason"]?.string == "limit")
    #expect(run.json?["drafted"]?.integer == 6 && run.json?["accepted"]?.integer == 6)
    #expect(run.notes.contains("10 tokens, 6 guessed, 6 of them right"))
    let plain = try generate(package, ["--max-tokens", "10"])
    let shown = try generate(package, ["--max-tokens", "10", "--draft-recurrence", "1:3"])
    #expect(shown.output == plain.output)
  }

  @Test("prompts of a file, one at a time, each with its count")
  func prompts() throws {
    let package = try package("average")
    let path = folder.file("prompts")
    try Data("12+7=\nThe \n3".utf8).write(to: URL(filePath: path))
    let more = ["--prompts", path, "--recurrence", "4", "--batch", "1", "--json"]
    let plain = try outcome(Generate.self, [package] + more)
    let drafted = try outcome(Generate.self, [package] + more + ["--draft-recurrence", "1:4"])
    func documents(_ run: Outcome) throws -> [JSONValue] {
      try run.output.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
    }
    let (found, wanted) = (try documents(drafted), try documents(plain))
    #expect(found.count == 3 && found.map { $0["ids"] } == wanted.map { $0["ids"] })
    #expect(found.allSatisfy { $0["drafted"]?.integer ?? 0 > 0 })
  }

  @Test("what does not combine is refused by name")
  func refusals() throws {
    for more in [["--exit", "kl:1e-3"], ["--cache-window", "1"]] {
      let error = #expect(throws: (any Error).self) {
        try Generate.parse(["m", "--prompt", "a", "--draft-recurrence", "1"] + more)
      }
      #expect(error.map { Generate.message(for: $0).contains(more[0]) } == true)
    }
    #expect(throws: (any Error).self) {
      try Generate.parse(["m", "--prompts", "f", "--draft-recurrence", "1"])
    }
    let package = try package("average")
    let deep = try generate(package, ["--draft-recurrence", "6", "--json"])
    #expect(deep.code == 64)
    #expect(deep.json?["errors"]?.array?.first?["code"]?.string == "model.draft_too_deep")
    let plain = try outcome(
      Generate.self, [model, "--prompt", "1", "--draft-recurrence", "1", "--json"])
    #expect(plain.code == 4)
    #expect(plain.json?["errors"]?.array?.first?["code"]?.string == "model.not_recurrent")
  }

  @Test("drafts that make no sense are refused", arguments: ["0", "1:0", "1:64", "a", "2:", ":3"])
  func arguments(text: String) { #expect(DraftChoice(argument: text) == nil) }
}
