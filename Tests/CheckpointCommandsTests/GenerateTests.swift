import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt generate")
struct GenerateTests {
  private let model = Fixtures.path("tiny-arithmetic")

  private func generate(_ arguments: String...) throws -> Outcome {
    try outcome(Generate.self, [model] + arguments)
  }

  @Test("the shipped model adds, and only the continuation is written")
  func adds() throws {
    let run = try generate("--prompt", "12+7=", "--max-tokens", "3")
    #expect(run.code == 0)
    #expect(run.output == "19.\n")
  }

  @Test("a stop text is left out, wherever the tokens end")
  func stops() throws {
    let run = try generate("--prompt", "12+7=", "--max-tokens", "8", "--stop", ".", "--json")
    #expect(run.json?["text"]?.string == "19")
    #expect(run.json?["finish_reason"]?.string == "stop")
  }

  @Test("the same seed draws the same text, another seed another one")
  func seeds() throws {
    func text(_ seed: String) throws -> String {
      try generate(
        "--prompt", "The ", "--max-tokens", "24", "--temperature", "1.2", "--seed", seed
      ).output
    }
    #expect(try text("1") == text("1"))
    #expect(try Set(["1", "2", "3", "4"].map(text)).count > 1)
  }

  @Test("text may grow beyond the original context as far as dynamic scaling reaches")
  func dynamicContext() throws {
    let folder = TemporaryFolder()
    let scaled = folder.file("scaled")
    try FileManager.default.copyItem(atPath: model, toPath: scaled)
    let config = URL(filePath: scaled + "/config.json")
    let scaling = #"_scaling": {"type": "dynamic", "factor": 2}"#
    let text = try String(contentsOf: config, encoding: .utf8)
      .replacing("_scaling\": null", with: scaling)
      .replacing("_embeddings\": 512", with: "_embeddings\": 24")
    try Data(text.utf8).write(to: config)
    let prompts = folder.file("prompts.txt")
    try Data("1\n".utf8).write(to: URL(filePath: prompts))
    for options in [["--prompt", "1"], ["--prompts", prompts]] {
      let run = try outcome(
        Generate.self,
        [scaled] + options + ["--temperature", "100", "--max-tokens", "90", "--json"])
      #expect(run.code == 0, "\(run.notes)")
      let ids = try #require(run.json?["ids"]?.array)
      let prompt = try #require(run.json?["prompt_tokens"]?.integer)
      #expect(ids.count + prompt == 48 || run.json?["finish_reason"]?.string == "stop")
      #expect(ids.count > 24)
    }
  }

  @Test("rows of the embedding beyond the vocabulary are never made")
  func padding() throws {
    let folder = TemporaryFolder()
    let padded = folder.file("padded")
    try FileManager.default.copyItem(atPath: model, toPath: padded)
    // 261 tokens for 384 rows.
    try FileManager.default.removeItem(atPath: padded + "/tokenizer.json")
    try FileManager.default.copyItem(
      atPath: Fixtures.path("tokenizers/folders/tokenizer.json"), toPath: padded + "/tokenizer.json"
    )
    let config = #"{"eos_token": "<|end|>"}"#
    try Data(config.utf8).write(to: URL(filePath: padded + "/tokenizer_config.json"))
    let run = try outcome(
      Generate.self,
      [padded, "--prompt", "abc", "--max-tokens", "60", "--temperature", "100", "--json"])
    #expect(run.code == 0, "\(run.notes)")
    let ids = try #require(run.json?["ids"]?.array).compactMap(\.integer)
    #expect(ids.count > 3 && ids.allSatisfy { $0 < 261 })
  }

  @Test("recurrences and chat are refused where the model has none")
  func refusals() throws {
    let depth = try generate("--prompt", "1", "--recurrence", "2", "--json")
    #expect(depth.code == 4)
    #expect(depth.json?["errors"]?.array?.first?["code"]?.string == "model.not_recurrent")
    let chat = try generate("--prompt", "1", "--chat", "--json")
    #expect(chat.code == 64)
  }

  /// A package of the shipped model, whose adapter takes the state in.
  private func package() throws -> (path: String, folder: TemporaryFolder) {
    let folder = TemporaryFolder()
    let made = try outcome(
      Retrofit.self,
      [model, "--select", "0,1/4-6/10,11", "--adapter", "average", "-o", folder.file("p")])
    #expect(made.code == 0)
    return (folder.file("p"), folder)
  }

  @Test(
    "an exit rule decides each token's depth but the first, which the prompt gives",
    arguments: [("latent:1e9", 1), ("kl:1e9", 2), ("latent:1e-30", 6), ("kl:1e-30", 6)])
  func exits(rule: String, depth: Int) throws {
    let (path, folder) = try package()
    let run = try outcome(
      Generate.self,
      [path, "--prompt", "12+7=", "--recurrence", "6", "--exit", rule, "--max-tokens", "4"]
        + ["--json"])
    #expect(run.code == 0)
    let made = try #require(run.json?["ids"]?.array).count
    #expect(made > 1)
    let depths = run.json?["recurrences"]?.array?.compactMap(\.integer)
    #expect(depths == [6] + [Int](repeating: depth, count: made - 1))
    let mean = Double(6 + depth * (made - 1)) / Double(made)
    #expect(run.json?["mean_recurrence"]?.double == mean)
    #expect(run.notes.contains("\(made) tokens, "))
    withExtendedLifetime(folder) {}
  }

  @Test("the cache has p + c·r + d entries a token, or p + c·W + d with a window")
  func cacheGeometry() throws {
    let (path, folder) = try package()
    func entries(_ more: String...) throws -> Int? {
      let run = try outcome(
        Generate.self, [path, "--prompt", "1", "--max-tokens", "1", "--json"] + more)
      return run.json?["cache_entries"]?.integer
    }
    #expect(try entries("--recurrence", "5") == 2 + 3 * 5 + 2)
    #expect(try entries("--recurrence", "5", "--cache-window", "1") == 2 + 3 + 2)
    #expect(try entries("--recurrence", "5", "--cache-window", "2") == 2 + 3 * 2 + 2)
    withExtendedLifetime(folder) {}
  }

  @Test("rules that make no sense are refused", arguments: ["kl", "kl:0", "latent:nan", "depth:1"])
  func exitRules(rule: String) { #expect(ExitChoice(argument: rule) == nil) }
}
