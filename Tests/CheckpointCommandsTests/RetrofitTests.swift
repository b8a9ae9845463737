import ArgumentParser
import ByteIO
import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

@testable import CheckpointCommands

/// What a command wrote, and its exit code.
struct Outcome {
  var code: Int32
  var output: String
  var notes: String

  var json: JSONValue? { try? JSONValue(parsing: Array(output.utf8)) }
}

func outcome<Command: Verb>(_: Command.Type, _ arguments: [String]) throws -> Outcome {
  let output = Mutex("")
  let notes = Mutex("")
  let console = Console(
    output: { text in output.withLock { $0 += text } },
    notes: { text in notes.withLock { $0 += text } })
  let code = try Command.parse(arguments).execute(console)
  return Outcome(code: code, output: output.withLock { $0 }, notes: notes.withLock { $0 })
}

@Suite("ckpt retrofit")
struct RetrofitTests {
  let folder = TemporaryFolder()
  let source = Fixtures.path("golden/tiny-olmo2/source")

  private func retrofit(_ arguments: String...) throws -> Outcome {
    try outcome(Retrofit.self, arguments)
  }

  @Test("a person is told what follows, a program is not")
  func next() throws {
    let output = folder.file("a package")
    let spoken = try retrofit(source, "--prelude", "1", "--core", "1", "--coda", "1", "-o", output)
    #expect(spoken.code == 0)
    #expect(spoken.notes.hasSuffix("next: ckpt verify '\(output)' --source \(source)\n"))
    for silent in ["--json", "--quiet"] {
      let done = try retrofit(
        source, "--prelude", "1", "--core", "1", "--coda", "1", "-o", folder.file(silent), silent)
      #expect(done.code == 0 && !done.notes.contains("next:"))
    }
  }

  @Test("a calibrated start has the scale of the prelude's output; one far from it is told")
  func calibrated() throws {
    let model = Fixtures.path("tiny-arithmetic")
    let text = Fixtures.path("text/heldout.txt")
    let counts = ["--prelude", "2", "--core", "4", "--coda", "2", "--dry-run", "--json"]
    let done = try outcome(
      Retrofit.self, [model, "--state", "calibrated", "--calibrate-on", text] + counts)
    let scale = try #require(done.json?["prelude_scale"]?.double)
    #expect(done.json?["config"]?["init_values"]?["std"]?.double == scale)
    #expect(done.json?["warnings"]?.array?.isEmpty == true)
    let published = try outcome(Retrofit.self, [model, "--calibrate-on", text] + counts)
    #expect(published.json?["prelude_scale"]?.double == scale)
    let codes = published.json?["warnings"]?.array?.compactMap { $0["code"]?.string } ?? []
    #expect(codes.contains("retrofit.state_scale") == (scale > 0.087))
    #expect(throws: (any Error).self) {
      try Retrofit.parse([model, "--state", "calibrated"] + counts)
    }
  }

  @Test("a dry run tells layers, tensors, changes and counts, and writes nothing")
  func dryRun() throws {
    let target = folder.file("p")
    let done = try retrofit(
      source, "--prelude", "2", "--core", "4", "--coda", "2", "--dry-run", "--json", "-o", target)
    #expect(done.code == 0)
    let json = try #require(done.json)
    #expect(json["layers"]?["core"]?.array?.compactMap(\.integer) == [4, 5, 6, 7])
    #expect(json["layers"]?["dropped"]?.array?.compactMap(\.integer) == [2, 3])
    #expect(json["tensors"]?.array?.count == 68)
    #expect(json["parameters"]?["effective"]?["4"]?.integer == 217_280)
    #expect(json["dry_run"]?.bool == true)
    #expect(
      json["config_changes"]?.array?.contains { $0["field"]?.string == "model_type" } == true)
    #expect(!FileManager.default.fileExists(atPath: target))
    let page = try retrofit(source, "--select", "0-1/4-7/8-9", "--dry-run")
    #expect(page.output.contains("dropped       2  2-3"))
    // 64 rows of 32 bfloat16: queries, keys and values.
    let row = page.output.split(separator: "\n").first {
      $0.hasPrefix("transformer.core_block.3.attn.Wqkv.weight")
    }
    let cells = row?.split(separator: " ").dropFirst().prefix(6).joined(separator: " ")
    #expect(cells == "BF16 64×32 4.0 KiB concatenate rows")
    #expect(page.output.contains("layers, unrolled at r = 4"))
  }

  @Test("with the golden adapter every tensor is the golden one; dialects go there and back")
  func adapterFile() throws {
    let golden = Fixtures.path("golden/tiny-olmo2/golden.safetensors")
    let made = try retrofit(
      source, "--select", "0-1/4-7/8-9", "--adapter", golden, "-o", folder.file("p"))
    #expect(made.code == 0)
    let same = try outcome(
      Diff.self, [folder.file("p"), Fixtures.path("golden/tiny-olmo2/retrofit"), "--json"])
    #expect(same.code == 0)
    #expect(try retrofit(folder.file("p"), "--dialect", "native", "-o", folder.file("n")).code == 0)
    #expect(try retrofit(folder.file("n"), "-o", folder.file("r")).code == 0)
    for name in ["model.safetensors", "config.json"] {
      let (a, b) = (
        try Data(contentsOf: URL(filePath: folder.file("p/" + name))),
        try Data(contentsOf: URL(filePath: folder.file("r/" + name)))
      )
      #expect(a == b)
    }
  }

  @Test("the same bytes on any number of threads, cast and random values included")
  func threads() throws {
    var roots: Set<String> = []
    for threads in ["1", "2", "5"] {
      let made = try retrofit(
        source, "--select", "0-1/4-7/8-9", "--adapter", "uniform", "--dtype", "f32", "--threads",
        threads, "-o", folder.file("p"), "--force", "--json")
      roots.insert(try #require(made.json?["root"]?.string))
    }
    #expect(roots.count == 1)
  }

  static let refused: [([String], Int32, String)] = [
    (["--select", "0-1/7-4/8-9"], 64, "select.reversed"),
    (["--select", "0-1//8-9"], 64, "select.empty"),
    (["--select", "0-1/1-4/8-9"], 64, "select.repeated"),
    (["--select", "0-1/4-7/8-10"], 64, "select.out_of_range"),
    (["--preset", "tinyllama-4-8-4"], 64, "select.preset_layers"),
    (["--preset", "mine"], 64, "select.unknown_preset"),
    ([], 64, "retrofit.not_recurrent"),
    (["--select", "0/1/2", "--adapter", "identity"], 64, "usage"),
  ]

  @Test("refused before a byte is written", arguments: refused)
  func refusedSelections(arguments: [String], code: Int32, problem: String) throws {
    let done = try outcome(
      Retrofit.self, [source, "-o", folder.file("p"), "--json"] + arguments)
    #expect(done.code == code)
    #expect(done.json?["errors"]?.array?.first?["code"]?.string == problem)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test("an existing output stays, unless --force replaces it; the source never goes")
  func force() throws {
    let target = folder.file("p")
    #expect(try retrofit(source, "--select", "0/1/2", "-o", target).code == 0)
    let before = try Data(contentsOf: URL(filePath: target + "/manifest.json"))
    #expect(try retrofit(source, "--select", "0/1/3", "-o", target).code == 6)
    #expect(try Data(contentsOf: URL(filePath: target + "/manifest.json")) == before)
    #expect(try retrofit(source, "--select", "0/1/3", "-o", target, "--force").code == 0)
    #expect(try Data(contentsOf: URL(filePath: target + "/manifest.json")) != before)
    #expect(try retrofit(target, "-o", target, "--force").code == 6)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["p"])
  }

  @Test("sizes of shards", arguments: [("5GB", 5_000_000_000), ("2KiB", 2048), ("17", 17)])
  func sizes(text: String, count: Int) {
    #expect(ByteCountArgument(argument: text)?.byteCount == count)
  }

  @Test("no sizes", arguments: ["", "GB", "-1", "0", "1e99", "5 apples"])
  func noSizes(text: String) { #expect(ByteCountArgument(argument: text) == nil) }
}
