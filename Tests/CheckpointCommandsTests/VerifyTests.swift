import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt verify")
struct VerifyTests {
  /// A package made of a golden model, and the folder that holds it.
  private func package(
    of golden: String, _ more: [String] = []
  ) throws -> (path: String, folder: TemporaryFolder) {
    let folder = TemporaryFolder()
    let path = folder.file("package")
    let run = try outcome(
      Retrofit.self,
      [source(golden), "--prelude", "2", "--core", "3", "--coda", "2", "-o", path, "--quiet"] + more
    )
    #expect(run.code == 0)
    return (path, folder)
  }

  private func source(_ golden: String) -> String { Fixtures.path("golden/\(golden)/source") }

  private func checks(_ run: Outcome) throws -> [String: String] {
    let checks = try #require(run.json?["checks"]?.array)
    return Dictionary(
      uniqueKeysWithValues: checks.compactMap { check in
        guard let name = check["name"]?.string, let verdict = check["verdict"]?.string else {
          return nil
        }
        return (name, verdict)
      })
  }

  @Test(
    "passes for every family, bit for bit, and its self-test catches each fault",
    arguments: ["tiny-llama", "tiny-llama3-rope", "tiny-olmo2", "tiny-qwen2", "tiny-qwen3"])
  func passes(golden: String) throws {
    let (path, folder) = try package(of: golden)
    let run = try outcome(
      Verify.self, [path, "--source", source(golden), "--self-test", "--json"])
    #expect(run.code == 0)
    let verdicts = try checks(run)
    #expect(verdicts["parity.hidden"] == "passed")
    #expect(verdicts["source.bytes"] == "passed")
    #expect(!verdicts.values.contains("failed"))
    #expect(verdicts["self_test.bitFlipped"] == "passed")
    #expect(verdicts["cache"] == "passed")
    withExtendedLifetime(folder) {}
  }

  @Test(
    "passes for every start of the state, with a norm after the core",
    arguments: ["huginn", "width", "zero", "embedding"])
  func states(start: String) throws {
    let (path, folder) = try package(of: "tiny-llama", ["--state", start, "--core-norm"])
    let run = try outcome(Verify.self, [path, "--source", source("tiny-llama"), "--json"])
    #expect(run.code == 0, "\(run.output)")
    #expect(run.output.contains("norm after the core bypassed"))
    withExtendedLifetime(folder) {}
  }

  @Test(
    "passes for every adapter start, against the formulas in float64",
    arguments: ["state", "average", "uniform", "takase", "add"])
  func adapters(start: String) throws {
    let (path, folder) = try package(of: "tiny-llama", ["--adapter", start])
    let run = try outcome(Verify.self, [path, "--source", source("tiny-llama"), "--json"])
    #expect(run.code == 0, "\(run.output)")
    #expect(try checks(run)["graph.direct"] == "passed")
    #expect(try checks(run)["parity.hidden_bypassed"] == "passed")
    withExtendedLifetime(folder) {}
  }

  /// Verifies a package of tiny-llama whose first pass is the source's layers, with the self-test.
  private func expectParity(_ path: String) throws {
    let run = try outcome(
      Verify.self, [path, "--source", source("tiny-llama"), "--self-test", "--json"])
    #expect(run.code == 0, "\(run.output)")
    #expect(try checks(run)["parity.hidden"] == "passed")
    #expect(try checks(run)["graph.direct"] == "passed")
    #expect(try !checks(run).values.contains("failed"))
  }

  @Test("decays of the state pass the first pass's numbers on, bit for bit, from a state of zeros")
  func diagonal() throws {
    let (path, folder) = try package(of: "tiny-llama", ["--adapter", "diagonal"])
    try expectParity(path)
    let (drawn, other) = try package(
      of: "tiny-llama", ["--adapter", "diagonal", "--state", "huginn"])
    let bypassed = try outcome(Verify.self, [drawn, "--source", source("tiny-llama"), "--json"])
    #expect(bypassed.code == 0, "\(bypassed.output)")
    #expect(try checks(bypassed)["parity.hidden_bypassed"] == "passed")
    withExtendedLifetime((folder, other)) {}
  }

  @Test("a gate passes the first pass's numbers on, bit for bit, before it is trained")
  func gated() throws {
    let (path, folder) = try package(of: "tiny-llama", ["--adapter", "gated", "--gate-rank", "3"])
    try expectParity(path)
    withExtendedLifetime(folder) {}
  }

  @Test("an adapter from a file is no part of the source, whose file may have the same name")
  func adapterFile() throws {
    let folder = TemporaryFolder()
    let golden = Fixtures.path("golden/tiny-llama/retrofit/model.safetensors")
    let made = try outcome(
      Retrofit.self,
      [source("tiny-llama"), "--select", "0-1/4-7/8-9", "--adapter", golden]
        + ["-o", folder.file("p")])
    #expect(made.code == 0)
    let run = try outcome(
      Verify.self, [folder.file("p"), "--source", source("tiny-llama"), "--self-test", "--json"])
    #expect(run.code == 0, "\(run.output)")
    #expect(try checks(run)["source.bytes"] == "passed")
    #expect(run.output.contains("the adapter is another file's"))
  }

  @Test("says no to a package with one flipped bit, and names the tensor")
  func flippedBit() throws {
    let (path, folder) = try package(of: "tiny-llama")
    let file = path + "/model.safetensors"
    var bytes = try Data(contentsOf: URL(filePath: file))
    bytes[bytes.count - 5] ^= 1
    try bytes.write(to: URL(filePath: file))
    let run = try outcome(Verify.self, [path, "--source", source("tiny-llama"), "--json"])
    #expect(run.code == 1)
    #expect(try checks(run)["integrity"] == "failed")
    #expect(run.output.contains("transformer."))
    withExtendedLifetime(folder) {}
  }

  @Test("says no to another model's source")
  func wrongSource() throws {
    let (path, folder) = try package(of: "tiny-llama")
    let run = try outcome(Verify.self, [path, "--source", source("tiny-olmo2"), "--json"])
    #expect(run.code == 1)
    #expect(try checks(run)["source.bytes"] == "failed")
    #expect(try checks(run)["parity.hidden"] == "failed")
    withExtendedLifetime(folder) {}
  }

  @Test("refuses what is not recurrent")
  func noPackage() throws {
    let run = try outcome(Verify.self, [source("tiny-llama"), "--json"])
    #expect(run.code == 4)
    #expect(run.json?["ok"] == false)
    #expect(run.json?["errors"]?.array?.first?["code"]?.string == "verify.not_recurrent")
  }

  @Test("asks a folder without a manifest what needs none, and says that nothing is proven")
  func noManifest() throws {
    // PyTorch wrote this one.
    let path = Fixtures.path("golden/tiny-olmo2/retrofit")
    let run = try outcome(
      Verify.self, [path, "--source", source("tiny-olmo2"), "--self-test", "--json"])
    #expect(run.code == 0, "\(run.output)")
    #expect(run.json?["verdict"]?.string == "consistent")
    #expect(run.json?["root"]?.isNull == true)
    #expect(run.json?["warnings"]?.array?.last?["code"]?.string == "verify.no_manifest")
    let verdicts = try checks(run)
    let skipped = verdicts.filter { $0.value == "skipped" }.keys
    #expect(Set(skipped) == ["integrity", "source.bytes", "computed.bytes", "self_test"])
    for name in ["parity.hidden_bypassed", "graph.direct", "cache", "state.finite"] {
      #expect(verdicts[name] == "passed", "\(name)")
    }
  }

  @Test("without a manifest: other logits and NaN are a no, another structure is an error")
  func brokenWithoutManifest() throws {
    let (path, folder) = try package(of: "tiny-llama")
    try FileManager.default.removeItem(atPath: path + "/manifest.json")
    #expect(try outcome(Verify.self, [path, "--json"]).code == 0)
    let other = try outcome(Verify.self, [path, "--against", source("tiny-olmo2"), "--json"])
    #expect(other.code == 1, "\(other.output)")
    #expect(other.json?["verdict"]?.string == "failed")
    let file = URL(filePath: path + "/model.safetensors")
    let bytes = try Data(contentsOf: file)
    // The last tensor in the file becomes NaN.
    try (bytes.dropLast(64) + Data(repeating: 0xFF, count: 64)).write(to: file)
    let run = try outcome(Verify.self, [path, "--json"])
    #expect(run.code == 1, "\(run.output)")
    #expect(try checks(run)["weights.finite"] == "failed")
    #expect(run.output.contains("transformer.wte.weight"))
    try bytes.write(to: file)
    let config = URL(filePath: path + "/config.json")
    let text = try String(contentsOf: config, encoding: .utf8)
    try Data(text.replacing("\"n_layers_in_prelude\": 2", with: "\"n_layers_in_prelude\": 3").utf8)
      .write(to: config)
    #expect(try outcome(Verify.self, [path, "--json"]).code == 3)
    withExtendedLifetime(folder) {}
  }

  @Test("logits of a file are compared, and another model's are told apart")
  func againstLogits() throws {
    let (path, folder) = try package(of: "tiny-llama")
    let (other, otherFolder) = try package(of: "tiny-llama", ["--adapter", "state"])
    let inputs = Fixtures.path("golden/tiny-llama/golden.safetensors")
    for (traced, code) in [(path, Int32(0)), (other, 1)] {
      let logits = folder.file("logits-\(code).safetensors")
      let trace = try outcome(
        Trace.self, [traced, "--inputs", inputs, "-o", logits, "--recurrence", "1"])
      #expect(trace.code == 0)
      let run = try outcome(
        Verify.self, [path, "--against", logits, "--tokens", inputs, "--json"])
      #expect(run.code == code, "\(run.output)")
      #expect(try checks(run)["against"] == (code == 0 ? "passed" : "failed"))
    }
    withExtendedLifetime((folder, otherFolder)) {}
  }

  @Test("an existing report is kept, unless --force is given")
  func keepsReport() throws {
    let (path, folder) = try package(of: "tiny-llama")
    let report = path + "/VERIFICATION.json"
    #expect(try outcome(Verify.self, [path, "--report", report]).code == 0)
    #expect(try outcome(Verify.self, [path, "--report", report]).code == 6)
    #expect(try outcome(Verify.self, [path, "--report", report, "--force"]).code == 0)
    withExtendedLifetime(folder) {}
  }

  @Test(
    "a cast package is its cast source, bit for bit, and every fault is caught",
    arguments: ["tiny-llama", "tiny-qwen2"], ["f32", "f16", "bf16"])
  func casts(golden: String, type: String) throws {
    let (path, folder) = try package(of: golden, ["--dtype", type])
    let run = try outcome(
      Verify.self, [path, "--source", source(golden), "--self-test", "--json"])
    #expect(run.code == 0, "\(run.output)")
    #expect(run.output.contains("equal at r = 1, bit for bit"))
    let verdicts = try checks(run)
    #expect(verdicts["computed.bytes"] == "passed")
    for fault in ["layersSwapped", "rotaryOrder", "normMoved", "adapterHalves", "bitFlipped"] {
      #expect(verdicts["self_test.\(fault)"] == "passed", "\(fault)")
    }
    withExtendedLifetime(folder) {}
  }

  @Test("a random adapter is drawn again; halves that changed places or another seed are caught")
  func randomAdapter() throws {
    let (path, folder) = try package(of: "tiny-llama", ["--adapter", "uniform", "--seed", "5"])
    let run = try outcome(Verify.self, [path, "--self-test", "--json"])
    #expect(run.code == 0, "\(run.output)")
    #expect(run.output.contains("caught by the digests, and by computed.bytes"))
    let file = path + "/manifest.json"
    let manifest = try String(contentsOfFile: file, encoding: .utf8)
    try manifest.replacing("seed 5\"", with: "seed 6\"").write(
      toFile: file, atomically: true, encoding: .utf8)
    let other = try outcome(Verify.self, [path, "--json"])
    #expect(other.code == 1)
    #expect(try checks(other).filter { $0.value == "failed" } == ["computed.bytes": "failed"])
    #expect(other.output.contains("transformer.adapter.weight"))
    withExtendedLifetime(folder) {}
  }

  /// A package of the shipped model with a value put into a weight of layer 4 before the retrofit.
  private func damaged(_ bits: UInt16) throws -> (path: String, folder: TemporaryFolder) {
    let folder = TemporaryFolder()
    let source = try damagedModel(bits, in: folder)
    let made = try outcome(
      Retrofit.self, [source, "--select", "0,1/4-6/10,11", "-o", folder.file("p"), "--quiet"])
    #expect(made.code == 0)
    return (folder.file("p"), folder)
  }

  @Test("says no to NaN and infinite weights, by name", arguments: [0x7FC0, 0xFF80] as [UInt16])
  func notFinite(bits: UInt16) throws {
    let (path, folder) = try damaged(bits)
    for more in [
      [], ["--source", folder.file("model")], ["--self-test"], ["--against", folder.file("model")],
    ] {
      let run = try outcome(Verify.self, [path, "--json"] + more)
      #expect(run.code == 1, "\(run.output)")
      #expect(try checks(run)["weights.finite"] == "failed")
      #expect(run.output.contains(more.first == "--source" ? "source's model.layers.4" : "core"))
      #expect(try checks(run)["parity.hidden"] == nil)
    }
    withExtendedLifetime(folder) {}
  }

  @Test("a retrofit and an export tell of them", arguments: [0x7FC0, 0xFF80, 0x7F7F] as [UInt16])
  func toldOfNonFinite(bits: UInt16) throws {
    let folder = TemporaryFolder()
    let source = try damagedModel(bits, in: folder)
    let choice = ["--select", "0,1/4-6/10,11", "-o", folder.file("p"), "--json"]
    let made = try outcome(Retrofit.self, [source] + choice)
    let exported = try outcome(
      Export.self, [folder.file("p"), "--to", "transformers", "-o", folder.file("e"), "--json"])
    for run in [made, exported] {
      #expect(run.code == 0)
      let told = run.json?["warnings"]?.array?.first { $0["code"] == "package.non_finite" }
      #expect((told == nil) == (bits == 0x7F7F))  // the largest finite bf16
      let words = told?["message"]?.string ?? "core_block.0 holds NaN"
      #expect(words.contains("core_block.0") && words.contains(" holds NaN"), "\(words)")
    }
  }

  @Test("says no to weights that make the arithmetic overflow")
  func overflow() throws {
    let (path, folder) = try damaged(0x7F7F)  // The largest finite bf16.
    let run = try outcome(Verify.self, [path, "--json"])
    #expect(run.code == 1, "\(run.output)")
    let verdicts = try checks(run)
    for name in ["parity.hidden", "graph.direct", "cache", "state.finite"] {
      #expect(verdicts[name] == "failed", "\(name)")
    }
    withExtendedLifetime(folder) {}
  }

  @Test("names the layer at which a wrong source first differs")
  func wrongLayer() throws {
    let (path, folder) = try package(of: "tiny-llama")
    let other = folder.file("other")
    try FileManager.default.copyItem(atPath: source("tiny-llama"), toPath: other)
    // Packages of ten layers have 0, 1 / 5, 6, 7 / 8, 9: layer 6 is the core's second.
    try put(0x3F00, into: "model.layers.6.mlp.down_proj.weight", of: other)
    let run = try outcome(Verify.self, [path, "--source", other, "--json"])
    #expect(run.code == 1)
    #expect(run.output.contains("first hidden state that differs is that after core 1"))
    #expect(try checks(run)["source.bytes"] == "failed")
    withExtendedLifetime(folder) {}
  }
}
