import ArgumentParser
import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt export")
struct ExportTests {
  let folder = TemporaryFolder()

  private func package(_ golden: String, _ more: String...) throws -> String {
    let path = folder.file("package-\(golden)-\(more.joined())")
    let made = try outcome(
      Retrofit.self,
      [
        Fixtures.path("golden/\(golden)/source"), "--prelude", "2", "--core", "2", "--coda", "2",
        "-o", path, "--quiet",
      ] + more)
    #expect(made.code == 0)
    return path
  }

  /// A file with two sequences of eight ids below 80, and no state.
  private func inputs() throws -> String {
    var header = Array(#"{"input_ids":{"dtype":"I64","shape":[2,8],"data_offsets":[0,128]}}"#.utf8)
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    var bytes: [UInt8] = []
    func append(_ value: Int) { bytes += (0..<8).map { UInt8(value >> (8 * $0) & 0xFF) } }
    append(header.count)
    bytes += header
    for i in 0..<16 { append(i * 37 % 80) }
    let path = folder.file("inputs.safetensors")
    try Data(bytes).write(to: URL(filePath: path))
    return path
  }

  @Test(
    "a folder for transformers is a package that verifies, whatever the dialect it was",
    arguments: ["raven", "native"])
  func transformers(dialect: String) throws {
    let package = try package("tiny-qwen3", "--dialect", dialect)
    let target = folder.file("exported")
    let done = try outcome(
      Export.self, [package, "--to", "transformers", "-o", target, "--json"])
    #expect(done.code == 0)
    #expect(done.json?["schema"]?.string == "ckpt.export/1")
    #expect(done.json?["layers"]?.integer == 6)
    let verified = try outcome(Verify.self, [target, "--json"])
    #expect(verified.code == 0, "\(verified.output)")
    let card = try String(contentsOfFile: target + "/README.md", encoding: .utf8)
    #expect(card.contains("trust_remote_code=True"))
    let matter = card.components(separatedBy: "---\n")[1].split(separator: "\n")
    #expect(matter.filter { $0.hasPrefix("library_name:") } == ["library_name: transformers"])
    #expect(matter.count { $0 == "- custom_code" } == 1)
  }

  @Test("a folder that is exported again is the same folder")
  func again() throws {
    let package = try package("tiny-llama")
    let (first, second) = (folder.file("first"), folder.file("second"))
    for (model, target) in [(package, first), (first, second)] {
      let done = try outcome(Export.self, [model, "--to", "transformers", "-o", target])
      #expect(done.code == 0)
    }
    for name in try FileManager.default.contentsOfDirectory(atPath: first)
    where name != "manifest.json" {
      #expect(
        FileManager.default.contentsEqual(atPath: first + "/" + name, andPath: second + "/" + name),
        "\(name)")
    }
  }

  @Test(
    "unrolled layers give the package's logits at that r, bit for bit",
    arguments: [
      ["tiny-llama", "1"], ["tiny-llama", "3"], ["tiny-olmo2", "2"], ["tiny-qwen2", "1"],
      ["tiny-qwen3", "2"], ["tiny-llama", "3", "--adapter", "state", "--state", "embedding"],
      ["tiny-qwen2", "2", "--adapter", "state", "--state", "embedding"],
      ["tiny-olmo2", "1", "--adapter", "add", "--state", "zero"],
      ["tiny-llama3-rope", "1", "--adapter", "average", "--state", "embedding"],
    ])
  func unrolled(sample: [String]) throws {
    let package = folder.file("package")
    let made = try outcome(
      Retrofit.self,
      [
        Fixtures.path("golden/\(sample[0])/source"), "--prelude", "2", "--core", "2", "--coda",
        "2", "-o", package, "--quiet",
      ] + sample[2...])
    #expect(made.code == 0)
    let target = folder.file("plain")
    let done = try outcome(
      Export.self,
      [package, "--to", "unrolled", "--recurrence", sample[1], "-o", target, "--json"])
    #expect(done.code == 0, "\(done.output)")
    let repeats = sample.contains("state") ? try #require(Int(sample[1])) : 1
    #expect(done.json?["layers"]?.integer == 4 + 2 * repeats)
    let inputs = try inputs()
    let (whole, plain) = (folder.file("whole.safetensors"), folder.file("plain.safetensors"))
    let recurrent = try outcome(
      Trace.self,
      [package, "--inputs", inputs, "-o", whole, "--recurrence", sample[1], "--threads", "1"])
    let straight = try outcome(
      Trace.self, [target, "--inputs", inputs, "-o", plain, "--threads", "1"])
    #expect(recurrent.code == 0 && straight.code == 0, "\(straight.notes)")
    #expect(FileManager.default.contentsEqual(atPath: whole, andPath: plain))
  }

  @Test("what plain layers cannot do is refused with the reason, and nothing is written")
  func refused() throws {
    let package = try package("tiny-llama", "--adapter", "uniform")
    let target = folder.file("plain")
    let done = try outcome(
      Export.self, [package, "--to", "unrolled", "--recurrence", "2", "-o", target])
    #expect(done.code == 4)
    #expect(done.notes.contains("state that starts at random, at each of 2 passes"))
    #expect(!FileManager.default.fileExists(atPath: target))
  }

  @Test(
    "--recurrence is what a folder says, and layers are counted by its code alone",
    arguments: ["transformers", "mlx"])
  func recurrence(target: String) throws {
    let package = try package("tiny-llama", "--mean-recurrence", "2")
    let folder = folder.file("at-5")
    let done = try outcome(
      Export.self, [package, "--to", target, "--recurrence", "5", "-o", folder, "--json"])
    #expect(done.code == 0 && done.json?["recurrence"]?.integer == 5)
    #expect(done.json?["layers"]?.integer == 6)
    let config = try JSONValue(parsing: Array(Data(contentsOf: url(folder + "/config.json"))))
    #expect(config["mean_recurrence"]?.integer == 5 && config["n_layers"]?.integer == 6)
    #expect(config["num_hidden_layers"] == nil)
    #expect(try outcome(Verify.self, [folder, "--json"]).code == 0)
    // The weights are those at any other r.
    let other = self.folder.file("at-2")
    #expect(try outcome(Export.self, [package, "--to", target, "-o", other]).code == 0)
    #expect(
      FileManager.default.contentsEqual(
        atPath: other + "/model.safetensors", andPath: folder + "/model.safetensors"))
  }

  @Test("a number of layers that is not executed is refused, with both numbers")
  func otherLayers() throws {
    let target = folder.file("other")
    let package = try package("tiny-llama", "--mean-recurrence", "2")
    let done = try outcome(Export.self, [package, "--to", "transformers", "-o", target])
    #expect(done.code == 0)
    let path = url(target + "/config.json")
    let text = try String(contentsOf: path, encoding: .utf8)
    try text.replacing(#""n_layers": 6"#, with: #""n_layers": 6, "num_hidden_layers": 9"#)
      .write(to: path, atomically: true, encoding: .utf8)
    let traced = try outcome(Trace.self, [target, "--inputs", try inputs(), "-o", package + "-t"])
    #expect(traced.code == 3)
    #expect(
      traced.notes.contains("is 9, but must be 8, the layers that are executed at"),
      "\(traced.notes)")
  }

  @Test("blocks with experts are refused for mlx-lm, whose code has none")
  func experts() throws {
    let package = folder.file("experts")
    let made = try outcome(
      Retrofit.self,
      [Fixtures.path("families/mixtral-default/model"), "--prelude", "1", "--core", "1"]
        + ["--coda", "1", "-o", package])
    #expect(made.code == 0)
    let done = try outcome(Export.self, [package, "--to", "mlx", "-o", folder.file("refused")])
    #expect(done.code == 4)
    #expect(done.notes.contains("blocks with experts under mlx-lm"))
  }

  @Test("a folder for mlx-lm has one form of rotary settings, from which ckpt reads the same model")
  func mlxRotary() throws {
    let package = try package("tiny-llama3-rope")
    let target = folder.file("mlx-rotary")
    #expect(try outcome(Export.self, [package, "--to", "mlx", "-o", target]).code == 0)
    let config = try JSONValue(parsing: Array(Data(contentsOf: url(target + "/config.json"))))
    #expect(config["rope_scaling"] == nil && config["rope_theta"] == nil)
    #expect(config["rope_parameters"]?["rope_type"]?.string == "llama3")
    #expect(config["hidden_size"] == config["n_embd"])
    #expect(try outcome(Verify.self, [target]).code == 0)
  }

  @Test("a folder for mlx-lm brings its code, and none for transformers")
  func mlx() throws {
    let target = folder.file("mlx")
    let done = try outcome(
      Export.self, [try package("tiny-qwen3"), "--to", "mlx", "-o", target])
    #expect(done.code == 0 && done.output.contains("from mlx_lm import load"))
    let names = try FileManager.default.contentsOfDirectory(atPath: target)
    #expect(
      names.filter { $0.hasSuffix(".py") }.sorted()
        == ["recurrent_frequencies.py", "recurrent_mlx.py"])
    let config = try JSONValue(parsing: Array(Data(contentsOf: url(target + "/config.json"))))
    #expect(config["model_file"]?.string == "recurrent_mlx.py" && config["auto_map"] == nil)
    let again = folder.file("transformers")
    let back = try outcome(Export.self, [target, "--to", "transformers", "-o", again])
    #expect(back.code == 0)
    let card = try String(contentsOf: url(again + "/README.md"), encoding: .utf8)
    #expect(!card.contains("With mlx-lm") && card.contains("With transformers"))
    #expect(!card.contains("library_name: mlx"))
  }

  private func url(_ path: String) -> URL { URL(filePath: path) }

  @Test("unrolling needs --recurrence")
  func usage() {
    #expect(throws: (any Error).self) {
      _ = try Export.parse(["model", "-o", "out", "--to", "unrolled"])
    }
    #expect(throws: (any Error).self) {
      _ = try Export.parse(["model", "-o", "out", "--to", "mlx", "--recurrence", "0"])
    }
  }
}
