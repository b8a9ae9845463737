import Foundation
import JSON
import Kernels
import Models
import TestSupport
import Testing
import Tokenizers
import Transformer

@testable import CheckpointCommands

@Suite("ckpt train --source, and samples")
struct TrainSourceTests {
  private let folder = TemporaryFolder()
  private let source = Fixtures.path("tiny-arithmetic")

  private func package() throws -> String {
    let package = folder.file("package")
    let made = try outcome(
      Retrofit.self, [source, "--prelude", "1", "--core", "2", "--coda", "1", "-o", package])
    #expect(made.code == 0, "\(made.notes)")
    return package
  }

  private func train(_ model: String, _ run: String, _ arguments: [String]) throws -> Outcome {
    try outcome(
      Train.self,
      [
        model, "-o", folder.file(run), "--cache", folder.file("cache"), "--json",
        "--data", Fixtures.path("text/heldout.txt"), "--steps", "2", "--batch-size", "2",
        "--sequence-length", "64", "--seed", "3", "--eval-recurrence", "1,4",
        "--set", "evaluation.rows=5",
      ] + arguments)
  }

  private func message(_ outcome: Outcome) -> String {
    outcome.json?["errors"]?.array?.first?["message"]?.string ?? ""
  }

  private func evaluations(_ outcome: Outcome) throws -> [JSONValue] {
    #expect(outcome.code == 0, "\(outcome.notes)")
    return try #require(outcome.json?["evaluations"]?.array)
  }

  @Test("the source's loss is that of a run of the source on the same rows")
  func measured() throws {
    let package = try package()
    let records = try evaluations(
      train(package, "run", ["--source", source, "--micro-batch-size", "2"]))
    let own = try evaluations(train(source, "own", []))
    let found = try #require(records.first?["source"])
    let wanted = try #require(own.first?["results"]?.array?.first)
    #expect(found["parameters"]?.integer == 887_136)
    let (loss, expected) = (
      try #require(found["loss"]?.double), try #require(wanted["loss"]?.double)
    )
    #expect(abs(loss - expected) < 1e-6 * expected)
    #expect(records.last?["source"] == nil)
    #expect(records.first?["held_out_tokens"]?.integer == 5 * 64)
    let page = try String(contentsOfFile: folder.file("run") + "/report.html", encoding: .utf8)
    #expect(page.contains("(tiny-arithmetic, 887,136 parameters) has <b>"))
    let texts = try #require(found["texts"]?.array?.compactMap { $0.string })
    let prompts =
      try #require(records.first)["samples"]?.array?.compactMap { $0["prompt"]?.string } ?? []
    #expect(texts.count == 2 && prompts.count == 2)
    for (text, prompt) in zip(texts, prompts) {
      #expect(try text == written(with: source, after: prompt, count: 33, recurrence: nil))
    }
    #expect(page.contains(">source</text>"))
    // It is in the log, and is not measured again.
    let resumed = try evaluations(
      train(
        package, "run",
        ["--source", folder.file("gone"), "--micro-batch-size", "2", "--resume", "--steps", "3"]))
    #expect(resumed.first?["source"] == found)
  }

  @Test("another model's tokens are refused before the run begins")
  func otherTokens() throws {
    let package = try package()
    let vocabulary = try train(
      package, "run", ["--source", Fixtures.path("golden/tiny-llama/source")])
    #expect(vocabulary.code == 64)
    #expect(message(vocabulary).contains("tokens, but the model to train"))
    // The same number of tokens, two of which have changed places.
    let swapped = folder.file("swapped")
    try FileManager.default.copyItem(atPath: source, toPath: swapped)
    let text = try String(contentsOfFile: swapped + "/tokenizer.json", encoding: .utf8)
    var tokenizer = try #require(try JSONValue(parsing: Array(text.utf8)).object)
    var model = try #require(tokenizer["model"]?.object)
    var tokens = try #require(model["vocab"]?.object)
    (tokens["1"], tokens["2"]) = (tokens["2"], tokens["1"])
    model["vocab"] = .object(tokens)
    tokenizer["model"] = .object(model)
    try folder.write(Array(JSONValue.object(tokenizer).text().utf8), to: "swapped/tokenizer.json")
    let other = try train(package, "run", ["--source", swapped])
    #expect(other.code == 64)
    #expect(message(other).contains("is not that of the model to train"))
    let recipe = folder.file("recipe.yaml")
    try folder.write(Array("evaluation:\n  recurrences: []\n".utf8), to: "recipe.yaml")
    let nothing = try outcome(
      Train.self,
      [
        package, "-o", folder.file("run"), "--recipe", recipe, "--source", source, "--json",
        "--data", Fixtures.path("text/heldout.txt"), "--cache", folder.file("cache"),
      ])
    #expect(nothing.code == 64)
    #expect(message(nothing).contains("nothing is evaluated"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("run")))
  }

  /// Greedy decoding by whole passes over what there is so far.
  private func written(
    with path: String, after prompt: String, count: Int, recurrence: Int?
  ) throws -> String {
    let opened = try OpenedModel(path)
    let (model, tokenizer) = (try opened.load(on: Compute(1)), try opened.tokenizer())
    var tokens = try tokenizer.encode(prompt)
    let start = tokens.count
    for _ in 0..<count {
      let logits = try #require(
        try model.forward(
          Batch(tokens: tokens, sequences: 1),
          ForwardOptions(recurrence: recurrence, state: .seeded(3), logits: .last)
        ).logits)
      let next = (0..<logits.columns).reduce(0) { logits[0, $1] > logits[0, $0] ? $1 : $0 }
      tokens.append(Int32(next))
    }
    return try tokenizer.decodeText(tokens[start...])
  }

  @Test("samples are what the package writes, before training and after")
  func samples() throws {
    let package = try package()
    let records = try evaluations(
      train(package, "run", ["--learning-rate", "1e-2", "--set", "recurrence.mean.end=3"]))
    let trained = folder.file("run") + "/package"
    for (record, model) in [(records.first, package), (records.last, trained)] {
      let samples = try #require(record?["samples"]?.array)
      #expect(samples.count == 2)
      for sample in samples {
        #expect(sample["recurrence"]?.integer == 3)
        let prompt = try #require(sample["prompt"]?.string)
        // 64 tokens a row and the last label, of which 32 are the prompt.
        let text = try written(with: model, after: prompt, count: 33, recurrence: 3)
        #expect(!text.isEmpty && text == sample["text"]?.string)
      }
    }
    let texts = records.map { $0["samples"]?.array?.compactMap { $0["text"]?.string } ?? [] }
    #expect(texts.first != texts.last)
  }
}
