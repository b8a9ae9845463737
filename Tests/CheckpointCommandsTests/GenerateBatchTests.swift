import ArgumentParser
import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt generate --prompts and questions in batches")
struct GenerateBatchTests {
  private let model = Fixtures.path("tiny-arithmetic")
  private let folder = TemporaryFolder()

  private func file(_ text: String, _ name: String = "prompts") throws -> String {
    try Data(text.utf8).write(to: URL(filePath: folder.file(name)))
    return folder.file(name)
  }

  /// The documents that a run printed, a line each.
  private func documents(_ run: Outcome) throws -> [JSONValue] {
    try run.output.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
  }

  private static let prompts = ["12+7=", "The ", "3", "99-1=", "a\\b", "One and one", "5*5="]

  /// Prompts end at different lengths, so that places are refilled at different times.
  @Test(
    "each prompt gets the tokens that it gets alone with its seed, whatever the batch",
    arguments: [["--stop", "."], ["--temperature", "1.1", "--top-p", "0.9", "--stop", "."]],
    [1, 2, 3, 16])
  func alone(options: [String], batch: Int) throws {
    let prompts = try file(Self.prompts.joined(separator: "\n") + "\n\n")
    let more = options + ["--max-tokens", "12", "--json"]
    let run = try outcome(
      Generate.self, [model, "--prompts", prompts, "--seed", "5", "--batch", "\(batch)"] + more)
    #expect(run.code == 0, "\(run.notes)")
    #expect(run.notes.contains("tokens for 7 prompts"))
    let documents = try documents(run)
    try #require(documents.count == Self.prompts.count)
    for (i, (document, prompt)) in zip(documents, Self.prompts).enumerated() {
      #expect(document["index"]?.integer == i && document["seed"]?.integer == 5 + i)
      let single = try outcome(
        Generate.self, [model, "--prompt", prompt, "--seed", "\(5 + i)"] + more)
      for member in ["prompt", "text", "ids", "finish_reason", "prompt_tokens"] {
        #expect(document[member] == single.json?[member], "\(prompt): \(member)")
      }
    }
  }

  @Test("a package whose tokens exit early and whose states start at random, too")
  func package() throws {
    let package = folder.file("p")
    let made = try outcome(
      Retrofit.self, [model, "--select", "0,1/4-6/10,11", "--adapter", "average", "-o", package])
    #expect(made.code == 0)
    let prompts = try file(Self.prompts.joined(separator: "\n"))
    for exit in [[], ["--exit", "latent:0.5"], ["--exit", "kl:1e-2", "--cache-window", "1"]] {
      let more = ["--recurrence", "5", "--max-tokens", "8", "--json"] + exit
      let run = try outcome(
        Generate.self, [package, "--prompts", prompts, "--batch", "4"] + more)
      for (i, document) in try documents(run).enumerated() {
        let single = try outcome(
          Generate.self, [package, "--prompt", Self.prompts[i], "--seed", "\(i)"] + more)
        #expect(document["ids"] == single.json?["ids"], "\(exit) \(i)")
        #expect(document["recurrences"] == single.json?["recurrences"], "\(exit) \(i)")
      }
    }
  }

  @Test("records bring a prompt and perhaps a seed; without --json there is a line each")
  func records() throws {
    let prompts = try file(
      #"{"prompt": "12+7=", "seed": 9}"# + "\n\n" + #"{"id": 4, "prompt": "12+7="}"# + "\n",
      "p.jsonl")
    let json = try outcome(Generate.self, [model, "--prompts", prompts, "--json"])
    #expect(try documents(json).map { $0["seed"]?.integer } == [9, 1])
    let lines = try outcome(Generate.self, [model, "--prompts", prompts, "--max-tokens", "3"])
    #expect(lines.output == "19.\n19.\n")
    // A line break is written out, so that there is a line a prompt.
    let long = try outcome(Generate.self, [model, "--prompts", prompts, "--max-tokens", "40"])
    #expect(long.output.split(separator: "\n", omittingEmptySubsequences: false).count == 3)
  }

  @Test(
    "files that give no prompts are refused, by place",
    arguments: [
      ("\n \n", "data.empty"), (#"{"text": "a"}"# + "\n", "data.missing_field"),
      (#"{"prompt": ["a"]}"# + "\n", "data.wrong_type"),
      (#"{"prompt": "a", "seed": -1}"# + "\n", "data.wrong_type"),
      (#"{"messages": [{"role": "user"}]}"# + "\n", "data.wrong_type"),
      (#"{"messages": "Hi"}"# + "\n", "data.wrong_type"),
    ])
  func refusals(text: String, code: String) throws {
    let run = try outcome(Generate.self, [model, "--prompts", try file(text), "--json"])
    #expect(run.code == 3)
    #expect(try documents(run).last?["errors"]?.array?.first?["code"]?.string == code)
  }

  @Test("a conversation is gone on with through the model's own template")
  func conversations() throws {
    let copy = folder.file("chat")
    try FileManager.default.copyItem(atPath: model, toPath: copy)
    try Data("{% for turn in messages %}{{ turn['content'] }}{% endfor %}".utf8)
      .write(to: URL(filePath: copy + "/chat_template.jinja"))
    let turns = try file(
      #"{"messages": [{"role": "user", "content": "12+"}, {"role": "assistant", "content": "7="}]}"#
        + "\n", "turns")
    let several = try outcome(Generate.self, [copy, "--prompts", turns, "--max-tokens", "8"])
    #expect(several.code == 0, "\(several.notes)")
    // One turn of the same text: the template makes one text of both.
    let one = try outcome(
      Generate.self, [copy, "--prompts", try file("12+7=\n"), "--chat", "--max-tokens", "8"])
    #expect(one.code == 0 && one.output.count > 1)
    #expect(several.output == one.output)
    let plain = try outcome(Generate.self, [model, "--prompts", turns])
    #expect(plain.code == 64 && plain.notes.contains("has no chat template"))
  }

  @Test("a prompt longer than the model takes is refused before any is continued")
  func long() throws {
    let prompts = try file("1+1=\n" + String(repeating: "1+1=", count: 2000))
    let run = try outcome(Generate.self, [model, "--prompts", prompts, "--json"])
    #expect(run.code == 7)
    let documents = try documents(run)
    #expect(documents.count == 1)
    #expect(documents[0]["errors"]?.array?.first?["code"]?.string == "data.prompt_length")
  }

  @Test("one of --prompt and --prompts is given")
  func usage() throws {
    #expect(throws: (any Error).self) { try Generate.parse(["m"]) }
    #expect(throws: (any Error).self) {
      try Generate.parse(["m", "--prompt", "a", "--prompts", "b"])
    }
    #expect(throws: (any Error).self) {
      try Generate.parse(["m", "--prompts", "b", "--batch", "0"])
    }
  }

  @Test("questions have the same answers, in their order, whatever the batch")
  func questions() throws {
    let lines = ["12+7", "1+1", "30+4", "8-3", "2+2"].map {
      #"{"question": "\#($0)=", "answer": "19"}"#
    }
    let data = try file(lines.joined(separator: "\n"), "q.jsonl")
    func samples(_ batch: Int) throws -> [UInt8] {
      let path = folder.file("samples-\(batch).jsonl")
      let run = try outcome(
        Eval.self,
        [model, "--data", data, "--template", "{question}", "--max-tokens", "10", "--batch-size"]
          + ["\(batch)", "--samples", path])
      #expect(run.code == 0, "\(run.notes)")
      return Array(try Data(contentsOf: URL(filePath: path)))
    }
    let alone = try samples(1)
    #expect(alone.count(where: { $0 == 0x0A }) == 5)
    #expect(try samples(2) == alone)
    #expect(try samples(4) == alone)
  }
}
