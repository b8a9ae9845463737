import ByteIO
import Checkpoint
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("quantised sources")
struct QuantisedSourceTests {
  private let folder = TemporaryFolder()

  /// A copy of the golden Llama whose configuration says what quantised it.
  private func quantised(_ config: JSONObject) throws -> String {
    let path = folder.file("quantised")
    try FileManager.default.copyItem(
      atPath: Fixtures.path("golden/tiny-llama/source"), toPath: path)
    let file = path + "/config.json"
    let bytes = try ByteRegion(path: file).contents(limit: 1 << 20)
    var object = try #require(try JSONValue(parsing: bytes, path: file).object)
    for member in config.members { object[member.key] = member.value }
    try JSONValue.object(object).text().write(toFile: file, atomically: true, encoding: .utf8)
    return path
  }

  @Test("are refused by name in every command that would read their codes as weights (QT-7, QT-8)")
  func refused() throws {
    let plain = Fixtures.path("golden/tiny-llama/source")
    let model = try quantised(["quantization_config": ["quant_method": "bitsandbytes"]])
    let outcomes = [
      try outcome(Convert.self, [model, "-o", folder.file("out")]),
      try outcome(
        Retrofit.self, [model, "--prelude", "1", "--core", "1", "--coda", "1", "--dry-run"]),
      try outcome(Layers.self, [model, "--data", Fixtures.path("text/heldout.txt")]),
      try outcome(Diff.self, [model, plain]),
      try outcome(
        Trace.self,
        [
          model, "--inputs", Fixtures.path("quantised/fp8-block.trace.safetensors"), "-o",
          folder.file("out"),
        ]),
      try outcome(Eval.self, [model, "--data", Fixtures.path("text/heldout.txt")]),
      try outcome(Generate.self, [model, "--prompt", "a"]),
    ]
    for outcome in outcomes {
      #expect(outcome.code == 4, "\(outcome.notes)")
      #expect(outcome.notes.contains("model.quantised") && outcome.notes.contains("bitsandbytes"))
      #expect(outcome.notes.contains("dequantize()") && !outcome.notes.contains("remove"))
    }
    #expect(try pathKind(folder.file("out")) == nil)
  }

  @Test("of MLX are refused by its name, also where it is not the method's")
  func mlx() throws {
    let settings: JSONValue = ["group_size": 64, "bits": 4, "mode": "affine"]
    let model = try quantised(["quantization": settings, "quantization_config": settings])
    let outcome = try outcome(Convert.self, [model, "-o", folder.file("out")])
    #expect(outcome.code == 4 && outcome.notes.contains("quantised (mlx)"), "\(outcome.notes)")
  }

  @Test("that hold no codes, whatever the configuration says, are malformed (QT-4)")
  func plain() throws {
    let model = try quantised(["quantization_config": ["quant_method": "fp8"]])
    for outcome in [
      try outcome(Convert.self, [model, "-o", folder.file("out")]),
      try outcome(Inspect.self, [model]),
    ] {
      #expect(outcome.code == 3 && outcome.notes.contains("quantised.no_codes"))
    }
  }

  static let decoded = ["fp8-block", "ct-int4"]

  @Test(
    "are converted to what the library decodes, and diff finds no difference", arguments: decoded)
  func convert(name: String) throws {
    let model = Fixtures.path("quantised/\(name)")
    let target = folder.file("plain")
    #expect(try outcome(Convert.self, [model, "-o", target, "--dtype", "bf16"]).code == 0)
    let config = try ByteRegion(path: target + "/config.json").contents(limit: 1 << 20)
    let fields = try #require(try JSONValue(parsing: config, path: target).object)
    #expect(fields["quantization_config"] == nil && fields["dtype"] == "bfloat16")
    #expect(try outcome(Diff.self, [model, target]).code == 0)
    let values = try outcome(Diff.self, [target, model + ".values.safetensors", "--json"])
    #expect(values.json?["differing"] == [] && values.json?["equal"] == 28)
    let inspected = try outcome(Inspect.self, [model, "--check", "--json"])
    #expect(inspected.code == 0)
    let kinds = inspected.json?["quantisation"]?["encodings"]?.array
    #expect(kinds?.count == 1 && kinds?[0]["tensors"] == 28)
    #expect(inspected.json?["not_understood"] == .null)
  }

  @Test("leave nothing in a converted folder that tells of codes (QT-3)")
  func sideFiles() throws {
    let model = folder.file("model")
    try FileManager.default.copyItem(
      atPath: Fixtures.path("quantised/gptq-int4"), toPath: model)
    for name in ["quantize_config.json", "generation_config.json"] {
      try folder.write(Array("{}".utf8), to: "model/" + name)
    }
    #expect(try outcome(Convert.self, [model, "-o", folder.file("plain")]).code == 0)
    #expect(try pathKind(folder.file("plain/generation_config.json")) == .file)
    #expect(try pathKind(folder.file("plain/quantize_config.json")) == nil)
  }

  @Test(
    "are retrofitted, and verify computes every decoded tensor again (QT-9)", arguments: decoded)
  func retrofit(name: String) throws {
    let model = Fixtures.path("quantised/\(name)")
    let package = folder.file("package")
    let made = try outcome(
      Retrofit.self, [model, "--prelude", "1", "--core", "2", "--coda", "1", "-o", package])
    #expect(made.code == 0, "\(made.notes)")
    let verified = try outcome(Verify.self, [package, "--source", model, "--self-test"])
    #expect(verified.code == 0, "\(verified.output)")
    #expect(verified.output.contains("17 of 17 computed tensors"))
    let manifest = try ByteRegion(path: package + "/manifest.json").contents(limit: 1 << 20)
    let tensors = try JSONValue(parsing: manifest, path: package)["tensors"]?.array ?? []
    let kind = name == "ct-int4" ? "int4 in groups of 16" : "FP8 E4M3 in blocks of 16x16"
    let decoded = tensors.filter {
      $0["operations"]?.array?.first == .string("decode \(kind)")
    }
    #expect(decoded.count == 16)
    let part = decoded.first?["from"]?.array?.first
    #expect(part?["dtype"] == .string(kind) && part?["offset"] == .null)
    let card = try ByteRegion(path: package + "/README.md").contents(limit: 1 << 20)
    #expect(String(decoding: card, as: UTF8.self).contains("28 tensors as \(kind), to BF16"))
    let config = try ByteRegion(path: package + "/config.json").contents(limit: 1 << 20)
    #expect(!String(decoding: config, as: UTF8.self).contains("quantization"))
  }

  @Test(
    "give the logits of transformers with the decoded weights",
    arguments: [
      "fp8-block", "fp8-block-f32", "fp8-ragged", "ct-fp8-channel", "ct-int8-zeros", "ct-int4",
      "ct-int4-order",
    ])
  func trace(name: String) throws {
    let model = Fixtures.path("quantised/\(name)")
    let file = folder.file("out.safetensors")
    let wanted = model + ".trace.safetensors"
    #expect(try outcome(Trace.self, [model, "--inputs", wanted, "-o", file]).code == 0)
    let (found, golden) = (try logits(file), try logits(wanted))
    var (difference, norm) = (0.0, 0.0)
    for (a, b) in zip(found, golden) {
      difference += Double(a - b) * Double(a - b)
      norm += Double(b) * Double(b)
    }
    #expect(found.count == 2 * 20 * 48 && (difference / norm).squareRoot() <= 1e-5)
  }

  private func logits(_ path: String) throws -> [Float] {
    let file = try Checkpoint.open(path)
    let record = try #require(file.record("logits"))
    var values = [Float](repeating: 0, count: record.elementCount)
    var span = values.mutableSpan
    try file.readFloats(record.name, elements: 0..<record.elementCount, into: &span)
    return values
  }
}
