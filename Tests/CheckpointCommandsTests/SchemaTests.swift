import ArgumentParser
import ByteIO
import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("JSON documents and formats/schemas")
struct SchemaTests {
  let folder = TemporaryFolder()
  static let schemas = Fixtures.path("../formats/schemas")
  let model = Fixtures.path("tiny-arithmetic")
  let text = Fixtures.path("text/heldout.txt")

  /// Runs a command with --json, and compares what it prints with the schema of its name.
  private func check<Command: Verb>(_: Command.Type, _ arguments: String...) throws {
    let done = try outcome(Command.self, arguments + ["--json"])
    try check(Command.self, try #require(done.json, "\(done.output) \(done.notes)"))
  }

  private func check<Command: Verb>(_: Command.Type, _ document: JSONValue) throws {
    let name = Command.Result.command
    let schema = try JSONSchema("\(name).json", in: Self.schemas)
    #expect(document["schema"]?.string == "ckpt.\(name)/1")
    #expect(
      try schema.faults(in: document) == [],
      "\(name): change formats/schemas/\(name).json with the document")
  }

  @Test("every command has a schema, and nothing else has")
  func complete() throws {
    let commands = CheckpointCommand.configuration.subcommands.map { command in
      command.configuration.commandName ?? "\(command)".lowercased()
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.schemas)
    #expect(Set(files) == Set(commands.map { $0 + ".json" } + ["common.json"]))
  }

  @Test("reading a model")
  func reading() throws {
    try check(Inspect.self, model, "--check")
    try check(Inspect.self, model, "--tensor", "model.norm.weight", "--stats")
    try check(Inspect.self, Fixtures.path("torch/checkpoint.pt"), "--globals")
    for name in ["parquet/nested.parquet", "arrow/types.arrow", "data/texts.csv"] {
      try check(Inspect.self, Fixtures.path(name))
    }
    try check(Layers.self, model, "--data", text, "--windows", "1", "--sequence-length", "32")
    try check(
      Layers.self, model, "--data", text, "--windows", "1", "--sequence-length", "32", "--loops",
      "--least-core", "9")
    try check(Diff.self, model, Fixtures.path("golden/tiny-llama/source"))
    try check(Manual.self)
    try check(
      Tokenize.self,
      document(
        command: "tokenize", isOK: true,
        fields: TokenizeReport(model: "m", ids: [1, 2], decoded: "a").json,
        warnings: [], errors: []))
  }

  @Test("a package from retrofit to unpack")
  func package() throws {
    let (package, tar) = (folder.file("p"), folder.file("p.tar"))
    try check(Init.self, model, "-o", folder.file("blank"))
    try check(Retrofit.self, model, "--select", "0/1,2/11", "--dry-run")
    try check(Retrofit.self, model, "--select", "0/1,2/11", "-o", package)
    try check(Inspect.self, package)
    try check(Verify.self, package, "--source", model)
    try check(Verify.self, Fixtures.path("golden/tiny-llama/retrofit"))
    try check(Pack.self, package, "-o", tar)
    try check(Unpack.self, tar, "-o", folder.file("q"))
    try check(Convert.self, package, "-o", folder.file("c.safetensors"))
    try check(Export.self, package, "--to", "transformers", "-o", folder.file("h"))
    try check(
      Export.self, package, "--to", "unrolled", "--recurrence", "2", "-o", folder.file("u"))
    try check(Diff.self, package, model)
    try check(
      Eval.self, package, "--data", text, "--recurrence", "1,2", "--windows", "1",
      "--sequence-length", "32")
    try check(
      Eval.self, package, "--data", text, "--recurrence", "2", "--windows", "1",
      "--sequence-length", "8", "--cache-window", "1,2")
    try check(
      Generate.self, package, "--prompt", "1", "--max-tokens", "3", "--recurrence", "2",
      "--draft-recurrence", "1")
    try check(
      Eval.self, package, "--data", Fixtures.path("eval/completions.jsonl"), "--task", "answers",
      "--recurrence", "1,2", "--by", "kind")
    try check(Generate.self, package, "--prompt", "1+1=", "--max-tokens", "1")
    try Data("1+1=\n2+2=\n".utf8).write(to: URL(filePath: folder.file("prompts.txt")))
    let lines = try outcome(
      Generate.self,
      [package, "--prompts", folder.file("prompts.txt"), "--max-tokens", "1", "--json"])
    for line in lines.output.split(separator: "\n") {
      try check(Generate.self, try JSONValue(parsing: Array(line.utf8)))
    }
  }

  @Test("training and its runs")
  func training() throws {
    let (package, run) = (folder.file("p"), folder.file("run"))
    #expect(try outcome(Retrofit.self, [model, "--select", "0/1/11", "-o", package]).code == 0)
    try check(
      Train.self, package, "--data", text, "-o", run, "--steps", "1", "--batch-size", "1",
      "--sequence-length", "16", "--cache", folder.file("cache"))
    try check(Train.self, package, "--data", text, "--print-recipe")
    try check(Runs.self, run)
    try check(Runs.self, "--group", "a=\(run)")
    try check(ReportCommand.self, run, "-o", folder.file("r.html"))
  }

  @Test("a trace, and documents of failures")
  func failures() throws {
    try check(
      Trace.self, Fixtures.path("golden/tiny-llama/source"), "--inputs",
      Fixtures.path("golden/tiny-llama/golden.safetensors"), "-o", folder.file("t.safetensors"),
      "--save", "logits,loss")
    try check(Inspect.self, folder.file("missing"))
    try check(Retrofit.self, model, "--select", "0/2-1/3", "--dry-run")
    try check(Verify.self, model)
  }

  @Test("a document that breaks its schema is told, place by place")
  func faults() throws {
    let schema = try JSONSchema("pack.json", in: Self.schemas)
    let broken: JSONValue = [
      "schema": "ckpt.pack/1", "ok": true, "output": 3, "bytes": 1.5, "extra": .null,
      "warnings": [["code": "c"]], "errors": [],
    ]
    let faults = try schema.faults(in: broken)
    for text in [
      "$.output is not string", "$.bytes is not integer", "$.extra is not in the schema",
      "$.files is missing", "$.warnings[0].message is missing",
    ] { #expect(faults.contains(text), "\(faults)") }
  }
}
