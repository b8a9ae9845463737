import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt train --eval-questions")
struct TrainQuestionTests {
  private let folder = TemporaryFolder()
  private let questions = Fixtures.path("eval/completions.jsonl")

  /// The shipped model, which ends a line where its answer ends.
  private func model() throws -> String {
    let model = folder.file("model")
    try FileManager.default.copyItem(atPath: Fixtures.path("tiny-arithmetic"), toPath: model)
    let figures = try JSONValue(
      parsing: Array(Data(contentsOf: URL(filePath: Fixtures.path("eval/figures.json")))))
    let config = try JSONValue(
      parsing: Array(Data(contentsOf: URL(filePath: model + "/config.json"))))
    var fields = try #require(config.object)
    fields["eos_token_id"] = figures["completions"]?["end"]
    try folder.write(Array(JSONValue.object(fields).text().utf8), to: "model/config.json")
    return model
  }

  private func train(_ model: String, _ arguments: [String]) throws -> Outcome {
    try outcome(
      Train.self,
      [
        model, "-o", folder.file("run"), "--cache", folder.file("cache"), "--json",
        "--data", Fixtures.path("text/heldout.txt"), "--steps", "2", "--batch-size", "4",
        "--sequence-length", "48", "--micro-batch-size", "3", "--set", "evaluation.rows=2",
      ] + arguments)
  }

  /// What `ckpt eval` says of the trained package, with the run's seed.
  private func scores(_ arguments: [String]) throws -> [JSONValue] {
    let done = try outcome(
      Eval.self,
      [
        folder.file("run") + "/package", "--data", questions, "--task", "answers", "--json",
        "--batch-size", "7",
      ] + arguments)
    #expect(done.code == 0, "\(done.notes)")
    return try #require(done.json?["results"]?.array)
  }

  @Test("the last evaluation scores as ckpt eval does the package")
  func plain() throws {
    let done = try train(
      model(), ["--eval-questions", questions, "--batch-size", "3", "--learning-rate", "1e-5"])
    #expect(done.code == 0, "\(done.notes)")
    let result = try #require(done.json?["evaluations"]?.array?.last?["results"]?.array?.first)
    let wanted = try #require(try scores([]).first)
    let exact = try #require(result["exact"]?.double)
    // Some are right and some are not, so that neither is all that it can say.
    #expect(exact > 0 && exact < 1)
    #expect(exact == wanted["exact"]?.double)
    try expectLoss(of: result, wanted)
    let page = try String(contentsOfFile: folder.file("run") + "/report.html", encoding: .utf8)
    #expect(page.contains("all layers, exact answers, %"))
  }

  @Test("at each recurrence, from the run's start states")
  func recurrent() throws {
    let package = folder.file("package")
    let made = try outcome(
      Retrofit.self, [model(), "--prelude", "1", "--core", "2", "--coda", "1", "-o", package])
    #expect(made.code == 0)
    let done = try train(
      package,
      [
        "--eval-questions", questions, "--eval-recurrence", "1,3", "--seed", "5",
        "--batch-size", "3",
      ])
    #expect(done.code == 0, "\(done.notes)")
    let results = try #require(done.json?["evaluations"]?.array?.last?["results"]?.array)
    let wanted = try scores(["--recurrence", "1,3", "--seed", "5"])
    #expect(results.count == 2 && wanted.count == 2)
    for (result, wanted) in zip(results, wanted) {
      #expect(result["exact"]?.double == wanted["exact"]?.double)
      try expectLoss(of: result, wanted)
    }
    #expect(results.first?["answer_loss"] != results.last?["answer_loss"])
    let page = try String(contentsOfFile: folder.file("run") + "/report.html", encoding: .utf8)
    #expect(page.contains("Exact answers by recurrence"))
  }

  private func expectLoss(of result: JSONValue, _ wanted: JSONValue) throws {
    let loss = try #require(result["answer_loss"]?.double)
    let nats = try #require(wanted["nats"]?.double)
    let expected = nats / (try #require(wanted["tokens"]?.double))
    #expect(abs(loss - expected) <= 1e-5 * expected)
  }

  @Test("a run without evaluations, a file without records, and one that is not there are refused")
  func refused() throws {
    let model = try model()
    let none = try train(
      model,
      [
        "--eval-questions", questions, "--set", "data.stream=true", "--set", "data.held_out=0",
      ])
    #expect(none.code == 64)
    let message = none.json?["errors"]?.array?.first?["message"]?.string
    #expect(message?.contains("data.held_out") == true)
    let text = try train(model, ["--eval-questions", Fixtures.path("text/heldout.txt")])
    #expect(text.code == 4, "\(text.notes)")
    let missing = try train(model, ["--eval-questions", folder.file("nowhere.jsonl")])
    #expect(missing.code == 5, "\(missing.notes)")
  }
}
