import Checkpoint
import Foundation
import JSON
import Kernels
import ModelGraph
import Models
import Tensors
import TestSupport
import Testing
import Transformer

@testable import CheckpointCommands

@Suite("ckpt init")
struct InitTests {
  let folder = TemporaryFolder()

  private func made(_ model: String, _ more: [String] = []) throws -> String {
    let path = folder.file("m\(UInt32.random(in: 0...UInt32.max))")
    let done = try outcome(Init.self, [model, "-o", path, "--json"] + more)
    #expect(done.code == 0, "\(done.output)")
    return path
  }

  private func values(_ path: String, _ pick: (ModelGraph) throws -> Parameter) throws -> [Float] {
    let opened = try OpenedModel(path)
    let parameter = try pick(opened.graph)
    var values = [Float](repeating: 0, count: parameter.elementCount)
    var span = values.mutableSpan
    try opened.checkpoint.readFloats(
      parameter.name, elements: 0..<parameter.elementCount, into: &span)
    return values
  }

  @Test("matrices have the configuration's deviation, truncated, and are not alike")
  func deviation() throws {
    let path = try made(Fixtures.path("tiny-arithmetic"))
    for values in [
      try values(path) { $0.embedding },
      try values(path) { try #require($0.blocks[3][.down]) },
      try values(path) { try #require($0.blocks[4][.down]) },
    ] {
      let squares = values.reduce(0.0) { $0 + Double($1) * Double($1) }
      let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
      // A normal truncated at three deviations has 0.98658 of the deviation.
      let wanted = 0.05 * 0.98658
      let deviation = (squares / Double(values.count)).squareRoot()
      let slack = 5 / Double(2 * values.count).squareRoot()
      #expect(abs(deviation / wanted - 1) < slack)
      #expect(abs(mean) < 5 * wanted / Double(values.count).squareRoot())
      #expect(values.allSatisfy { abs($0) <= 0.15001 })
    }
    let blocks = try [3, 4].map { block in
      try values(path) { try #require($0.blocks[block][.down]) }
    }
    #expect(blocks[0] != blocks[1])
    let norm = try values(path) { try #require($0.blocks[0][.attentionNorm]) }
    #expect(norm.allSatisfy { $0 == 1 })
  }

  @Test("a seed decides every byte, another one other bytes")
  func seeds() throws {
    func bytes(_ seed: String) throws -> Data {
      let path = try made(Fixtures.path("tiny-arithmetic"), ["--seed", seed])
      return try Data(contentsOf: URL(filePath: path + "/model.safetensors"))
    }
    #expect(try bytes("3") == bytes("3"))
    #expect(try bytes("3") != bytes("4"))
  }

  /// Norms that store 1 + w, biases, experts, fused projections.
  @Test(
    "each family's model can be run and retrofitted",
    arguments: ["gemma2-default", "qwen3moe-default", "phi3-default", "olmo2-bias"])
  func families(_ name: String) throws {
    let source = Fixtures.path("families/\(name)/model")
    let path = try made(source, ["--dtype", "bf16"])
    let (made, old) = (try OpenedModel(path), try OpenedModel(source))
    #expect(made.graph.blocks.map(\.spec) == old.graph.blocks.map(\.spec))
    let logits = try made.load(on: Compute(1)).forward(Batch(tokens: [1, 2, 3], sequences: 1))
      .logits
    #expect(try #require(logits).row(2).allSatisfy(\.isFinite))
    let norm = try values(path) { $0.finalNorm }
    let offset = Float(made.graph.spec.finalNorm.offset)
    #expect(norm.allSatisfy { $0 + offset == 1 })
    let retrofit = try outcome(
      Retrofit.self, [path, "--prelude", "1", "--core", "1", "--coda", "1", "--dry-run"])
    #expect(retrofit.code == 0 || made.graph.blocks.count < 3, "\(retrofit.notes)")
  }

  @Test("training keeps how the weights began")
  func history() throws {
    let path = try made(Fixtures.path("tiny-arithmetic"), ["--seed", "9"])
    let run = folder.file("run")
    let trained = try outcome(
      Train.self,
      [
        path, "--data", Fixtures.path("text/heldout.txt"), "-o", run, "--steps", "1",
        "--batch-size", "1", "--sequence-length", "16", "--cache", folder.file("cache"),
      ])
    #expect(trained.code == 0, "\(trained.notes)")
    let manifest = try JSONValue(
      parsing: Array(Data(contentsOf: URL(filePath: run + "/package/manifest.json"))))
    #expect(manifest["initialisation"]?["seed"]?.string == "9")
    #expect(manifest["initialisation"]?["standard_deviation"]?.double == 0.05)
  }

  @Test("configurations that make no source model are refused by name")
  func refusals() throws {
    func refused(_ change: (inout JSONObject) -> Void) throws -> Outcome {
      let source = Fixtures.path("tiny-arithmetic/config.json")
      let value = try JSONValue(parsing: Array(Data(contentsOf: URL(filePath: source))))
      var config = try #require(value.object)
      change(&config)
      let path = try folder.write(Array(JSONValue.object(config).text().utf8), to: "config.json")
      return try outcome(Init.self, [path, "-o", folder.file("out"), "--force"])
    }
    let large = try refused { $0["num_hidden_layers"] = 5000 }
    #expect(large.code == 3 && large.notes.contains("at most 1024"))
    let negative = try refused { $0["initializer_range"] = -1 }
    #expect(negative.code == 3 && negative.notes.contains("initializer_range"))
    let unknown = try refused { $0["sparse_attention"] = true }
    #expect(unknown.code != 0 && unknown.notes.contains("sparse_attention"))
    let package = try outcome(
      Init.self, [Fixtures.path("golden/tiny-llama/retrofit"), "-o", folder.file("out")])
    #expect(package.code != 0 && package.notes.contains("ckpt retrofit"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
  }
}
