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

  @Test("recurrences and chat are refused where the model has none")
  func refusals() throws {
    let depth = try generate("--prompt", "1", "--recurrence", "2", "--json")
    #expect(depth.code == 4)
    #expect(depth.json?["errors"]?.array?.first?["code"]?.string == "model.not_recurrent")
    let chat = try generate("--prompt", "1", "--chat", "--json")
    #expect(chat.code == 64)
  }
}
