import ByteIO
import Checkpoint
import Foundation
import JSON
import ModelGraph
import Models
import RecurrentPackage
import Tensors
import TestSupport
import Testing
import Tokenizers

@testable import CheckpointCommands

@Suite("ckpt train")
struct TrainTests {
  private let folder = TemporaryFolder()
  private let text = Fixtures.path("text/heldout.txt")

  private func package() throws -> String {
    let path = folder.file("package")
    let source = Fixtures.path("tiny-arithmetic")
    let done = try outcome(
      Retrofit.self, [source, "--prelude", "1", "--core", "2", "--coda", "1", "-o", path])
    #expect(done.code == 0)
    return path
  }

  private func train(_ model: String, _ arguments: [String], to run: String) throws -> Outcome {
    try outcome(
      Train.self,
      [model, "-o", folder.file(run), "--cache", folder.file("cache")]
        + ["--batch-size", "2", "--sequence-length", "32", "--mean-recurrence", "3"]
        + ["--set", "evaluation.rows=4"] + arguments)
  }

  private func losses(_ run: String) throws -> [JSONValue] {
    let bytes = try ByteRegion(path: folder.file(run) + "/metrics.jsonl").contents(limit: 1 << 20)
    return try bytes.split(separator: 0x0A).map {
      try JSONValue(parsing: Array($0))["loss"] ?? .null
    }
  }

  @Test("a package trained from a GGUF file has that file's tokenizer")
  func tokenizerOfGGUF() throws {
    let (source, file) = (Fixtures.path("tiny-arithmetic"), folder.file("model.gguf"))
    #expect(try outcome(Convert.self, [source, "-o", file]).code == 0)
    let done = try outcome(
      Train.self,
      [
        file, "-o", folder.file("run"), "--cache", folder.file("cache"), "--data", text, "--steps",
        "1", "--batch-size", "1", "--sequence-length", "32", "--json",
      ])
    #expect(done.code == 0, "\(done.output)")
    let wanted = try OpenedModel(source).tokenizer().encode("12+7=19. Grüße")
    let trained = try OpenedModel(folder.file("run") + "/package")
    #expect(try trained.tokenizer().encode("12+7=19. Grüße") == wanted)
  }

  @Test("trains a package, and the result is one again", arguments: ["muon", "adamw-atan2"])
  func trains(optimizer: String) throws {
    let package = try package()
    let done = try train(
      package, ["--data", text, "--steps", "6", "--optimizer", optimizer, "--json"], to: "run")
    #expect(done.code == 0, "\(done.notes)")
    let json = try #require(done.json)
    #expect(json["steps"]?.integer == 6)
    #expect(json["tokens"]?.integer == 6 * 64)
    #expect(json["memory"]?["sequences_at_once"]?.integer == 2)
    let evaluations = try #require(json["evaluations"]?.array)
    #expect(evaluations.count == 2)
    let result = folder.file("run") + "/package"
    #expect(json["report"]?.string == folder.file("run") + "/report.html")
    let page = try String(contentsOfFile: folder.file("run") + "/report.html", encoding: .utf8)
    // The page shows the package that came out, with its verdict.
    #expect(page.hasPrefix("<!DOCTYPE html>") && page.contains(result))
    let model = try OpenedModel(result)
    #expect(model.graph.recurrence?.meanRecurrence == 3)
    #expect(model.checkpoint.tensors.allSatisfy { $0.type == .element(.f32) })
    let manifest = try JSONValue(
      parsing: ByteRegion(path: result + "/manifest.json").contents(limit: 1 << 24))
    #expect(manifest["training"]?.array?.first?["steps"]?.integer == 6)
    #expect(manifest["retrofit"] != nil)
    let again = try train(
      result, ["--data", text, "--steps", "1", "--save-dtype", "bf16"], to: "second")
    #expect(again.code == 0, "\(again.notes)")
    let second = try OpenedModel(folder.file("second") + "/package")
    #expect(second.checkpoint.tensors.allSatisfy { $0.type == .element(.bf16) })
  }

  @Test("a trained package's card and settings tell what training did, run after run")
  func card() throws {
    func text(_ package: String, _ file: String) throws -> String {
      try String(contentsOfFile: package + "/" + file, encoding: .utf8)
    }
    let package = try package()
    #expect(try text(package, "README.md").contains("**Not healed yet.**"))
    #expect(try text(package, "README.md").contains("none are asked for: 32."))
    let (first, second) = (folder.file("a/package"), folder.file("b/package"))
    #expect(try train(package, ["--data", self.text, "--steps", "3"], to: "a").code == 0)
    #expect(try train(first, ["--data", self.text, "--steps", "2"], to: "b").code == 0)
    // Written again in other names, it is still what training made of it.
    let third = folder.file("c")
    let again = try outcome(Retrofit.self, [second, "--dialect", "native", "-o", third])
    #expect(again.code == 0)
    for (package, runs) in [(first, 1), (second, 2), (third, 2)] {
      let card = try text(package, "README.md")
      #expect(!card.contains("Not healed"))
      #expect(
        card.contains("> **Healed** for 3 steps on 192 tokens; `manifest.json` has the recipe."))
      #expect(
        card.contains("\n> **Healed further** for 2 steps on 128 tokens.\n") == (runs == 2))
      #expect(card.contains("none are asked for: 3."))
      let settings = try JSONValue(parsing: Array(text(package, "generation_config.json").utf8))
      #expect(settings["num_steps"]?.integer == 3)
      let manifest = try JSONValue(parsing: Array(text(package, "manifest.json").utf8))
      #expect(manifest["training"]?.array?.count == runs)
    }
  }

  @Test("a killed run resumes with the same losses, and settings may not change")
  func resumes() throws {
    let package = try package()
    let arguments = [
      "--data", text, "--steps", "7", "--checkpoint-every", "2", "--set", "checkpoints.final=false",
    ]
    #expect(try train(package, arguments, to: "whole").code == 0)
    #expect(try train(package, arguments, to: "part").code == 0)
    // As a run that was killed after its second checkpoint left it.
    let manager = FileManager.default
    let part = folder.file("part")
    try manager.removeItem(atPath: part + "/package")
    try manager.removeItem(atPath: part + "/checkpoints/step-6")
    #expect(try folderEntries(part + "/checkpoints") == ["step-4"])
    let other = try train(package, arguments + ["--seed", "5", "--resume"], to: "part")
    #expect(other.code == 64)
    #expect(other.notes.contains("seed = 74, not 5"))
    #expect(try train(package, arguments + ["--resume"], to: "part").code == 0)
    #expect(try losses("part") == losses("whole"))
    let weights = "/package/model.safetensors"
    #expect(
      manager.contentsEqual(atPath: part + weights, andPath: folder.file("whole") + weights))
  }

  @Test("a run that streams its data goes on where it was, without a cache")
  func streams() throws {
    let package = try package()
    let arguments = [
      "--data", Fixtures.path("data/sums"), "--steps", "6", "--set", "data.stream=true", "--set",
      "data.shuffle_buffer=50",
    ]
    #expect(try train(package, arguments, to: "whole").code == 0)
    #expect(try train(package, arguments + ["--checkpoint-every", "2"], to: "part").code == 0)
    // As a run that was killed after its second checkpoint left it.
    let part = folder.file("part")
    try FileManager.default.removeItem(atPath: part + "/package")
    try FileManager.default.removeItem(atPath: part + "/checkpoints/step-6")
    let more = try train(package, ["--resume"], to: "part")
    #expect(more.code == 0, "\(more.notes)")
    #expect(more.notes.contains("going on after step 4 of 6"))
    #expect(try losses("part") == losses("whole"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("cache")))
  }

  @Test("a finished run goes on with more steps, as if it had had them from the start")
  func extends() throws {
    let package = try package()
    // Nothing in it depends on the number of steps.
    let arguments = [
      "--data", text, "--recurrence", "2", "--set", "schedule.shape=constant", "--set",
      "schedule.warmup=0", "--set", "recurrence.backprop_depth.ramp=0",
    ]
    #expect(try train(package, arguments + ["--steps", "6"], to: "whole").code == 0)
    #expect(try train(package, arguments + ["--steps", "4"], to: "part").code == 0)
    let part = folder.file("part")
    #expect(try folderEntries(part + "/checkpoints") == ["step-4"])
    let fewer = try train(package, arguments + ["--steps", "3", "--resume"], to: "part")
    #expect(fewer.code == 64)
    #expect(fewer.notes.contains("steps = 4, not 3"))
    let more = try train(package, arguments + ["--steps", "6", "--resume"], to: "part")
    #expect(more.code == 0)
    #expect(more.notes.contains("extended from 4 to 6 steps"))
    #expect(more.notes.contains("going on after step 4 of 6"))
    #expect(try losses("part") == losses("whole"))
    let weights = "/package/model.safetensors"
    #expect(
      FileManager.default.contentsEqual(
        atPath: part + weights, andPath: folder.file("whole") + weights))
    #expect(try String(contentsOfFile: part + "/recipe.yaml", encoding: .utf8).contains("steps: 6"))
  }

  @Test("a finished run without a checkpoint is not started again")
  func finished() throws {
    let package = try package()
    let arguments = ["--data", text, "--steps", "2", "--set", "checkpoints.final=false"]
    #expect(try train(package, arguments, to: "run").code == 0)
    let before = try losses("run")
    let again = try train(package, ["--steps", "4", "--resume"], to: "run")
    #expect(again.code == 6)
    #expect(again.notes.contains("kept no checkpoint"))
    #expect(try losses("run") == before)
  }

  @Test("trains the adapter alone, and the source model itself")
  func modes() throws {
    let package = try package()
    let arguments = ["--data", text, "--steps", "2"]
    #expect(try train(package, arguments + ["--mode", "adapter"], to: "adapter").code == 0)
    let before = try OpenedModel(package)
    let after = try OpenedModel(folder.file("adapter") + "/package")
    for parameter in before.graph.parameters {
      var values = [[Float]](repeating: [], count: 2)
      for (i, model) in [before, after].enumerated() {
        values[i] = [Float](repeating: 0, count: parameter.elementCount)
        var span = values[i].mutableSpan
        try model.checkpoint.readFloats(
          parameter.name, elements: 0..<parameter.elementCount, into: &span)
      }
      let isAdapter = parameter.name == before.graph.recurrence?.adapter?.name
      #expect((values[0] == values[1]) == !isAdapter, "\(parameter.name)")
    }
    let source = Fixtures.path("golden/tiny-llama/source")
    let tokens = try folder.write((0..<4000).flatMap { [UInt8($0 % 7), 0] }, to: "tokens.bin")
    let plain = try train(source, ["--data", tokens, "--steps", "2", "--json"], to: "plain")
    #expect(plain.code == 0, "\(plain.notes)")
    let results = plain.json?["evaluations"]?.array?.last?["results"]?.array
    #expect(results?.count == 1)
    #expect(results?.first?["recurrence"] == .null)
    let metrics = try String(
      contentsOfFile: folder.file("plain") + "/metrics.jsonl", encoding: .utf8)
    #expect(
      metrics.contains("\"mean_recurrence\":1,") && !metrics.contains("\"mean_recurrence\":8"))
    let adapter = try train(source, ["--data", tokens, "--mode", "adapter"], to: "x")
    #expect(adapter.code == 4)
  }

  private func recipe(_ text: String) throws -> String {
    try folder.write(Array(text.utf8), to: "\(text.utf8.count).yaml")
  }

  @Test("says what is wrong before it touches the run folder")
  func rejects() throws {
    let package = try package()
    let empty = try folder.write([], to: "empty.txt")
    for (arguments, code, words) in [
      (["--data", empty], 3, "nothing in it"),
      (["--data", folder.file("none.txt")], 5, "cannot open"),
      ([], 64, "--data"),
      (["--data", text, "--steps", "0"], 64, "whole number from 1"),
      (["--data", text, "--set", "optimizer.clup=1"], 64, "optimizer.clip"),
      (["--data", text, "--set", "optimizer.kind=muno"], 64, "did you mean muon?"),
      (["--data", text, "--set", "steps=1e3"], 64, "write 1000"),
      (["--data", text, "--recipe", try recipe("steps: 0")], 3, "line 1: steps is 0"),
      (["--data", text, "--recipe", try recipe("steps: 1\noptimizer: muon")], 3, "optimizer.kind"),
      (["--data", text, "--recipe", try recipe("steps: [3")], 3, "not a recipe: line "),
      (["--data", text, "--sequence-length", "999999"], 64, "context"),
      (["--data", text + ":zero"], 64, "positive weight"),
      (["--data", text, "--resume"], 5, "no run"),
      (["--data", text, "--preset", "none"], 64, "healing"),
      (["--data", text, "--memory-budget", "1MiB"], 7, "at least"),
    ] as [([String], Int32, String)] {
      let done = try outcome(
        Train.self,
        [package, "-o", folder.file("never"), "--cache", folder.file("cache")] + arguments)
      #expect(done.code == code, "\(arguments): \(done.notes)")
      #expect(done.notes.contains(words), "\(done.notes)")
      #expect(try pathKind(folder.file("never")) == nil)
    }
  }

  @Test("prepared tokens and their recipe train to the same losses")
  func prepares() throws {
    let package = try package()
    let lines = (0..<300).map { #"{"prompt": "\#($0)+1=", "completion": "\#($0 + 1)."}"# + "\n" }
    let records = try folder.write(Array(lines.joined().utf8), to: "sums.jsonl")
    let bare = try folder.write((0..<4000).flatMap { [UInt8($0 % 7), 0] }, to: "tokens.bin")
    let arguments = ["--steps", "4", "--data", text, records + ":2", bare]
    let prepared = try train(package, arguments + ["--prepare", "--json"], to: "data")
    #expect(prepared.code == 0, "\(prepared.notes)")
    let data = folder.file("data")
    #expect(
      try folderEntries(data).sorted()
        == ["0-heldout.txt.tokens", "1-sums.jsonl.tokens", "recipe.yaml"])
    let sources = try #require(prepared.json?["sources"]?.array)
    #expect(sources.map { $0["documents"]?.integer } == [1, 300, nil])
    #expect(sources[2]["file"]?.string == bare)
    #expect(sources[2]["tokens"]?.integer == 4000)
    #expect(try train(package, arguments, to: "texts").code == 0)
    let recipe = data + "/recipe.yaml"
    let done = try outcome(Train.self, [package, "-o", folder.file("tokens"), "--recipe", recipe])
    #expect(done.code == 0, "\(done.notes)")
    #expect(try losses("tokens") == losses("texts"))
    #expect(try train(package, arguments + ["--prepare"], to: "data").code == 6)
    let broken = try folder.write(Array("ckpttok1 and no more".utf8), to: "broken.tokens")
    let refused = try train(package, ["--data", broken], to: "never")
    #expect(refused.code == 3)
    #expect(refused.notes.contains("its header is not a token file's"), "\(refused.notes)")
  }

  @Test("FLOPs give the most steps that they pay for, with the recurrences that are drawn")
  func flops() throws {
    let package = try package()
    func cost(_ run: String) throws -> [Double] {
      let path = folder.file(run) + "/metrics.jsonl"
      return try ByteRegion(path: path).contents(limit: 1 << 20).split(separator: 0x0A).compactMap {
        try JSONValue(parsing: Array($0))["flops_full"]?.double
      }
    }
    let budget = 3e8
    let done = try train(package, ["--data", text, "--flops", "3e8"], to: "run")
    #expect(done.code == 0, "\(done.notes)")
    let paid = try cost("run")
    #expect(try #require(paid.last) <= budget)
    // One step more costs too much.
    let more = ["--data", text, "--steps", "\(paid.count + 1)"]
    #expect(try train(package, more, to: "more").code == 0)
    #expect(try #require(cost("more").last) > budget)
    // The recipe says the steps, so a resumed run is the same run.
    let recipe = try String(contentsOfFile: folder.file("run") + "/recipe.yaml", encoding: .utf8)
    #expect(recipe.hasPrefix(ToolVersion.current.comment + "steps: \(paid.count)\n"))
    let again = try train(package, ["--data", text, "--flops", "3e8", "--resume"], to: "run")
    #expect(again.code == 0, "\(again.notes)")
    let smaller = ["--data", text, "--flops", "\(paid[0] * 1.01)", "--resume"]
    let less = try train(package, smaller, to: "run")
    #expect(less.code == 64 && less.notes.contains("steps = \(paid.count)"))
    let source = Fixtures.path("tiny-arithmetic")
    let plain = try train(source, ["--data", text, "--flops", "2e9"], to: "plain")
    #expect(plain.code == 0, "\(plain.notes)")
    let each = try cost("plain")
    #expect(each.count == Int(2e9 / each[0]))
  }

  @Test("FLOPs that pay for no step, or for too many, are refused", arguments: ["1e3", "1e30"])
  func flopsOutside(_ flops: String) throws {
    let done = try train(try package(), ["--data", text, "--flops", flops], to: "run")
    #expect(done.code == 64 && done.notes.contains("FLOPs"), "\(done.notes)")
    #expect(!FileManager.default.fileExists(atPath: folder.file("run") + "/metrics.jsonl"))
  }

  @Test("prints a recipe that gives itself again")
  func recipe() throws {
    let printed = try outcome(
      Train.self, ["p", "--preset", "math", "--steps", "9", "--print-recipe"])
    #expect(printed.code == 0)
    #expect(printed.output.contains("steps: 9\n"))
    let path = try folder.write(Array(printed.output.utf8), to: "recipe.yaml")
    let again = try outcome(Train.self, ["p", "--recipe", path, "--print-recipe"])
    #expect(again.output == printed.output)
  }

  @Test("runs compares runs in a table and one chart")
  func runs() throws {
    let package = try package()
    for (name, rate) in [("slow", "1e-5"), ("fast", "1e-3")] {
      let done = try train(
        package, ["--data", text, "--steps", "3", "--learning-rate", rate], to: name)
      #expect(done.code == 0)
    }
    let svg = folder.file("compare.svg")
    let paths = ["slow", "fast"].map { folder.file($0) }
    let both = try outcome(Runs.self, paths + ["--svg", svg])
    #expect(both.output.contains("  tokens\n") && both.output.contains("  FLOPs\n"))
    let drawing = try String(contentsOfFile: svg, encoding: .utf8)
    #expect(drawing.contains(">tokens<") && drawing.contains(">FLOPs<"))
    let page = try outcome(Runs.self, paths + ["--against", "flops", "--force", "--svg", svg])
    #expect(page.code == 0)
    #expect(!page.output.contains("  tokens\n"))
    #expect(page.output.contains("Held out, r = 8"))
    #expect(page.output.contains("A slow   B fast"))
    #expect(try pathKind(svg) == .file)
    let json = try outcome(Runs.self, paths + ["--json"]).json
    #expect(json?["runs"]?.array?.compactMap { $0["name"]?.string } == ["slow", "fast"])
    #expect(json?["groups"]?.array?.isEmpty == true)
    let group = ["--group", "seeds=" + paths.joined(separator: ",")]
    let compared = try outcome(Runs.self, group + ["--json"])
    let result = try #require(
      compared.json?["groups"]?.array?.first?["results"]?.array?.first, "\(compared.notes)")
    let last = try #require(json?["runs"]?.array).compactMap {
      $0["evaluation"]?["results"]?.array?.first?["loss"]?.double
    }
    // Runs of equal steps and drawn recurrences end at the same FLOPs.
    #expect(abs((result["loss"]?.double ?? 0) - (last[0] + last[1]) / 2) < 1e-12)
    #expect(result["margin"]?.double ?? 0 > 0)
    #expect(try outcome(Runs.self, group).output.contains("At "))
    for bad in [["--group", "seeds"], group + group, []] {
      #expect(
        CheckpointCommand.run(["runs"] + bad, Console(output: { _ in }, notes: { _ in })) == 64)
    }
    #expect(try outcome(Runs.self, [folder.file("nowhere")]).code == 5)
  }
}
