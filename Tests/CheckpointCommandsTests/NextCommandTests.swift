import ArgumentParser
import ByteIO
import Foundation
import TestSupport
import Testing

@testable import CheckpointCommands
@testable import Reports

/// What a person is told to type after a command.
@Suite("next commands")
struct NextCommandTests {
  let folder = TemporaryFolder()
  let model = Fixtures.path("tiny-arithmetic")
  let text = Fixtures.path("text/heldout.txt")

  /// The words of a line as a shell would split it, without the first.
  private func words(_ line: String) -> [String] {
    var words: [String] = []
    var (word, isOpen, isQuoted, isEscaped) = ("", false, false, false)
    for character in line {
      if isEscaped {
        (word, isEscaped, isOpen) = (word + String(character), false, true)
      } else if character == "'" {
        (isQuoted, isOpen) = (!isQuoted, true)
      } else if character == "\\", !isQuoted {
        isEscaped = true
      } else if character == " ", !isQuoted {
        if isOpen { words.append(word) }
        (word, isOpen) = ("", false)
      } else {
        (word, isOpen) = (word + String(character), true)
      }
    }
    if isOpen { words.append(word) }
    return Array(words.dropFirst())
  }

  @Test("every one is a command line that this program takes, whatever the path")
  func valid() throws {
    let path = "it's -a path"
    for line in [
      NextCommand.inspect(path), NextCommand.layers(path, data: path),
      NextCommand.retrofit(path, "--select 0/1,2/11"), NextCommand.verify(path),
      NextCommand.writing(["retrofit", path, "--dry-run"], hasOutput: false),
      NextCommand.convert(path), NextCommand.tokenize(path, decoding: true),
      NextCommand.verify(path, source: path), NextCommand.stability(path, report: "R.json"),
      NextCommand.train(path), NextCommand.train("MODEL", data: path),
      NextCommand.train(path, recipe: path), NextCommand.resume(path),
      NextCommand.eval(path, mean: nil), NextCommand.eval(path, mean: 4),
      NextCommand.generate(path, recurrence: nil), NextCommand.generate(path, recurrence: 8),
      NextCommand.export(path), NextCommand.runs([path, path]), NextCommand.report([path, path]),
    ] {
      let words = words(line)
      #expect(words.contains { $0 == path || $0.hasPrefix(path + "/") }, "\(line)")
      #expect(throws: Never.self, "\(line)") { try CheckpointCommand.parseAsRoot(words) }
    }
  }

  @Test(
    "depths lie around the model's own",
    arguments: [(1, "1,2"), (4, "1,2,4,8"), (32, "1,16,32,64"), (100, "1,50,100")])
  func depths(mean: Int, depths: String) {
    #expect(NextCommand.eval("p", mean: mean) == "ckpt eval p --data FILE --recurrence \(depths)")
  }

  /// The line that a command ends with, without its mark; nil when it says none.
  private func next<Command: Verb>(_ command: Command.Type, _ arguments: [String]) throws -> String?
  {
    let done = try outcome(command, arguments)
    #expect(done.code == 0, "\(done.notes)")
    guard let last = done.notes.split(separator: "\n").last, last.hasPrefix("next: ") else {
      return nil
    }
    let line = String(last.dropFirst(6))
    #expect(throws: Never.self, "\(line)") { try CheckpointCommand.parseAsRoot(words(line)) }
    #expect(try !outcome(command, arguments + ["--json"]).notes.contains("next: "))
    return line
  }

  @Test("a source is looked at, measured, and retrofitted")
  func source() throws {
    #expect(
      try next(Inspect.self, [model])
        == "ckpt retrofit \(model) --prelude 2 --core 4 --coda 2 -o PACKAGE")
    #expect(
      try next(Inspect.self, [model, "--tensor", "model.norm.weight"]) == "ckpt inspect \(model)")
    let unknown = Fixtures.path("safetensors/small.safetensors")
    #expect(
      try next(Inspect.self, [unknown]) == "ckpt convert \(unknown) -o FILE.safetensors")
    #expect(try next(Diff.self, [model, model]) == "ckpt inspect \(model)")
    #expect(
      try next(Generate.self, [model, "--prompt", "1+1=", "--max-tokens", "1"])
        == "ckpt retrofit \(model) --prelude 2 --core 4 --coda 2 -o PACKAGE")
    #expect(
      try next(Train.self, [model, "--print-recipe"])
        == "ckpt train \(model) --recipe FILE -o RUN")
    #expect(try outcome(Manual.self, []).notes == "next: ckpt manual | man -l -\n")
    let dry = try outcome(Retrofit.self, [model, "--select", "0/1/11", "--dry-run"])
    #expect(dry.notes.hasSuffix(" -o PACKAGE\n"))
    #expect(
      try next(Inspect.self, [Fixtures.path("eval/completions.jsonl")])
        == "ckpt train MODEL --data \(Fixtures.path("eval/completions.jsonl")) -o RUN")
    let few = ["--data", text, "--windows", "1", "--sequence-length", "16"]
    #expect(try next(Eval.self, [model] + few) == "ckpt layers \(model) --data \(text)")
    let layers = try #require(try next(Layers.self, [model] + few))
    #expect(layers.hasPrefix("ckpt retrofit \(model) --select 0-1/"))
  }

  @Test("a package is verified, trained, and then put to use")
  func package() throws {
    let (package, run) = (folder.file("p"), folder.file("run"))
    let depth = ["--mean-recurrence", "2"]
    #expect(
      try outcome(Retrofit.self, [model, "--select", "0/1/11", "-o", package] + depth).code == 0)
    #expect(try next(Inspect.self, [package]) == "ckpt verify \(package)")
    let heal = "ckpt train \(package) --data FILE -o RUN"
    #expect(try next(Verify.self, [package]) == heal)
    let few = ["--data", text, "--windows", "1", "--sequence-length", "16"]
    #expect(try next(Eval.self, [package] + few) == heal)

    let settings = [
      "--data", text, "--steps", "1", "--batch-size", "1", "--sequence-length", "16",
      "--cache", folder.file("cache"), "--mean-recurrence", "2", "--force",
    ]
    let trained = run + "/package"
    let measure = "ckpt eval \(trained) --data FILE --recurrence 1,2,4"
    let unseen = ["--set", "evaluation.recurrences="]
    #expect(try next(Train.self, [package, "-o", run] + settings + unseen) == measure)
    #expect(
      try next(Train.self, [package, "-o", run] + settings)
        == "ckpt generate \(trained) --prompt TEXT --recurrence 2")
    #expect(
      try next(Train.self, [package, "-o", folder.file("d"), "--prepare"] + settings)
        == "ckpt train \(package) --recipe \(folder.file("d"))/recipe.yaml -o RUN")
    #expect(try next(Verify.self, [trained]) == measure)
    #expect(
      try next(Eval.self, [trained, "--recurrence", "3"] + few)
        == "ckpt generate \(trained) --prompt TEXT --recurrence 3")
    let prompts = folder.file("prompts.txt")
    try Data("1+1=\n".utf8).write(to: URL(filePath: prompts))
    #expect(
      try next(Generate.self, [trained, "--prompts", prompts, "--max-tokens", "1"]) == measure)
    #expect(try next(Runs.self, [run]) == "ckpt report \(run) -o report.html")
    let plain = folder.file("plain")
    #expect(
      try next(
        Export.self, [package, "--to", "unrolled", "--recurrence", "1", "-o", plain, "--force"])
        == "ckpt generate \(plain) --prompt TEXT")
    let code = folder.file("code")
    #expect(
      try next(Export.self, [trained, "--to", "transformers", "-o", code, "--force"])
        == "ckpt verify \(code)")
  }
}
