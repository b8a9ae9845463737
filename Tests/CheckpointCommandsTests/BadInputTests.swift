import ByteIO
import Checkpoint
import Foundation
import JSON
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import CheckpointCommands

/// Puts a bf16 value into the first place of a tensor of the model in `folder`.
func put(_ bits: UInt16, into tensor: String, of folder: String) throws {
  let checkpoint = try Checkpoint.open(folder)
  let region = try #require(checkpoint.region(TensorName(tensor)))
  #expect(checkpoint.record(TensorName(tensor))?.type == .element(.bf16))
  let handle = try FileHandle(forUpdating: URL(filePath: region.path))
  try handle.seek(toOffset: UInt64(region.start))
  try handle.write(contentsOf: Data([UInt8(bits & 0xFF), UInt8(bits >> 8)]))
  try handle.close()
}

/// The weight that `damagedModel` damages.
let damagedWeight = "model.layers.4.post_attention_layernorm.weight"

/// A copy of the shipped model in which one weight of a norm has the bf16 value `bits`.
func damagedModel(_ bits: UInt16, in folder: TemporaryFolder) throws -> String {
  let path = folder.file("model")
  try FileManager.default.copyItem(atPath: Fixtures.path("tiny-arithmetic"), toPath: path)
  try put(bits, into: damagedWeight, of: path)
  return path
}

@Suite("bad input at the command line")
struct BadInputTests {
  private let folder = TemporaryFolder()
  private let model = Fixtures.path("tiny-arithmetic")
  private static let context = 512
  private static let vocabulary: Int64 = 384

  private func text(_ text: String) throws -> String {
    try folder.write(Array(text.utf8), to: "text")
  }

  /// A file with input_ids of `shape`, and labels that are all 1.
  private func inputs(_ ids: [Int64], _ shape: [Int]) throws -> String {
    let layout = try SafetensorsLayout(
      ["input_ids", "labels"].map { .init(name: $0, type: .i64, shape: shape) })
    let values = ids + ids.map { _ in 1 }
    let bytes = values.flatMap { id in (0..<8).map { UInt8(truncatingIfNeeded: id >> ($0 * 8)) } }
    return try folder.write(layout.header + bytes, to: "in.safetensors")
  }

  private func trace(_ model: String, _ inputs: String, _ save: String = "logits") throws -> Outcome
  {
    try outcome(
      Trace.self,
      [model, "--inputs", inputs, "-o", folder.file("out.safetensors"), "--save", save, "--json"])
  }

  private func package() throws -> String {
    let path = folder.file("p")
    let made = try outcome(Retrofit.self, [model, "--select", "0,1/4-6/10,11", "-o", path])
    #expect(made.code == 0)
    return path
  }

  private func expect(
    _ run: Outcome, _ code: Int32, _ error: String, tensor: String? = nil,
    at location: SourceLocation = #_sourceLocation
  ) {
    #expect(run.code == code, "\(run.output)", sourceLocation: location)
    let found = run.json?["errors"]?.array?.first
    #expect(found?["code"]?.string == error, sourceLocation: location)
    if let tensor { #expect(found?["tensor"]?.string == tensor, sourceLocation: location) }
    let isPublished = FileManager.default.fileExists(atPath: folder.file("out.safetensors"))
    #expect(!isPublished, sourceLocation: location)
  }

  @Test("a weight that is NaN or infinite is named", arguments: [0x7FC0, 0x7F80] as [UInt16])
  func notFinite(bits: UInt16) throws {
    let model = try damagedModel(bits, in: folder)
    let text = try text(String(repeating: "1+1=2. ", count: 40))
    let (code, error) = (Int32(3), "model.non_finite_weight")
    let short = ["--sequence-length", "16", "--json"]
    expect(
      try outcome(Eval.self, [model, "--data", text] + short), code, error, tensor: damagedWeight)
    expect(
      try outcome(Layers.self, [model, "--data", text] + short), code, error, tensor: damagedWeight)
    expect(
      try outcome(Generate.self, [model, "--prompt", "1+1=", "--json"]), code, error,
      tensor: damagedWeight)
    let inputs = try inputs([1, 2, 3], [1, 3])
    for part in ["logits", "loss", "gradients"] {
      expect(try trace(model, inputs, part), code, error, tensor: damagedWeight)
    }
  }

  @Test("arithmetic that overflows gives no numbers, but what overflowed")
  func overflow() throws {
    let model = try damagedModel(0x7F7F, in: folder)
    let text = try text(String(repeating: "1+1=2. ", count: 40))
    let short = ["--sequence-length", "16", "--json"]
    expect(
      try outcome(Eval.self, [model, "--data", text] + short), 3, "model.non_finite_loss")
    expect(
      try outcome(Layers.self, [model, "--data", text] + short), 3, "model.non_finite_state")
    expect(
      try outcome(Generate.self, [model, "--prompt", "1+1=", "--json"]), 3,
      "model.non_finite_logits")
    // A trace is for looking at such numbers.
    let run = try trace(model, inputs([1, 2, 3], [1, 3]))
    #expect(run.code == 0)
    #expect(run.json?["warnings"]?.array?.first?["code"]?.string == "trace.non_finite")
  }

  @Test("a token outside the vocabulary", arguments: [vocabulary, -1])
  func token(id: Int64) throws {
    let inputs = try inputs([1, id, 3], [1, 3])
    for part in ["logits", "loss", "gradients"] {
      expect(try trace(model, inputs, part), 3, "model.token_out_of_range")
    }
    let package = try package()
    expect(
      try outcome(Verify.self, [package, "--tokens", inputs, "--json"]), 3,
      "model.token_out_of_range")
    // The tokenizer has more tokens than the embedding rows: an error only where a text has one.
    let other = folder.file("other")
    try FileManager.default.copyItem(
      atPath: Fixtures.path("golden/tiny-llama/source"), toPath: other)
    for name in ["tokenizer.json", "tokenizer_config.json"] {
      try FileManager.default.copyItem(atPath: "\(model)/\(name)", toPath: "\(other)/\(name)")
    }
    let text = try text("The sum of two and two is four, and the sum of three and three is six. ")
    let windows = ["--data", text, "--json", "--sequence-length", "16"]
    expect(
      try outcome(Generate.self, [other, "--prompt", "The sum of two", "--json"]), 3,
      "model.token_out_of_range")
    expect(try outcome(Layers.self, [other] + windows), 3, "model.token_out_of_range")
    expect(try outcome(Eval.self, [other] + windows), 3, "model.label_out_of_range")
    #expect(try outcome(Generate.self, [other, "--prompt", "12+7="]).code == 0)
  }

  @Test("nothing to run on")
  func empty() throws {
    let nothing = try text("")
    expect(try outcome(Eval.self, [model, "--data", nothing, "--json"]), 3, "data.empty")
    expect(try outcome(Layers.self, [model, "--data", nothing, "--json"]), 3, "data.empty")
    let package = try package()
    expect(
      try outcome(Verify.self, [package, "--tokens", nothing, "--json"]), 64, "usage")
    expect(try trace(model, inputs([], [1, 0])), 3, "trace.shape")
    // The shipped model puts a BOS before every prompt, so that an empty one is fine.
    let settings = folder.file("plain")
    try FileManager.default.copyItem(atPath: model, toPath: settings)
    let run = try outcome(Generate.self, [settings, "--prompt", "", "--json"])
    #expect(run.json?["prompt_tokens"]?.integer == 1)
    try FileManager.default.removeItem(atPath: settings + "/tokenizer_config.json")
    let bare = try outcome(Generate.self, [settings, "--prompt", "", "--json"])
    if bare.json?["prompt_tokens"]?.integer != 1 { expect(bare, 64, "usage") }
  }

  @Test("more tokens than the model's context")
  func context() throws {
    let long = try text(String(repeating: "12+7=19. ", count: 800))
    let length = ["--sequence-length", "\(Self.context + 1)", "--windows", "1", "--json"]
    let error = "model.context_too_long"
    expect(try outcome(Eval.self, [model, "--data", long] + length), 7, error)
    expect(try outcome(Layers.self, [model, "--data", long] + length), 7, error)
    let prompt = String(repeating: "12+7=19. ", count: 400)
    expect(try outcome(Generate.self, [model, "--prompt", prompt, "--json"]), 7, error)
    let ids = [Int64](repeating: 5, count: Self.context + 1)
    let inputs = try inputs(ids, [1, ids.count])
    for part in ["logits", "loss", "gradients"] { expect(try trace(model, inputs, part), 7, error) }
    let package = try package()
    expect(try outcome(Verify.self, [package, "--tokens", inputs, "--json"]), 7, error)
  }

  @Test("a prompt that fills the context is answered with as many tokens as there is room for")
  func nearlyFull() throws {
    let prompt = String(repeating: "1", count: 508)
    let run = try outcome(
      Generate.self, [model, "--prompt", prompt, "--max-tokens", "64", "--json"])
    #expect(run.code == 0)
    let (before, made) = (
      try #require(run.json?["prompt_tokens"]?.integer), try #require(run.json?["ids"]?.array).count
    )
    #expect(before + made <= Self.context)
    #expect(made > 0)
  }
}
