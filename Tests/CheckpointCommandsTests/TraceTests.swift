import ByteIO
import Checkpoint
import JSON
import Tensors
import TestSupport
import Testing

@testable import CheckpointCommands

/// Against what transformers and the published code computed.
@Suite("ckpt trace")
struct TraceTests {
  private let folder = TemporaryFolder()
  private let numbers = Fixtures.path("golden/tiny-olmo2/golden.safetensors")

  private func trace(_ model: String, _ more: String...) throws -> (run: Outcome, Checkpoint) {
    let file = folder.file("out.safetensors")
    let run = try outcome(
      Trace.self,
      [Fixtures.path("golden/tiny-olmo2/\(model)"), "--inputs", numbers, "-o", file, "--json"]
        + more)
    #expect(run.code == 0, "\(run.output)")
    return (run, try Checkpoint.open(file))
  }

  private func floats(_ checkpoint: Checkpoint, _ name: String) throws -> [Float] {
    let record = try #require(checkpoint.record(TensorName(name)), "tensor \(name)")
    var values = [Float](repeating: 0, count: record.elementCount)
    var span = values.mutableSpan
    try checkpoint.readFloats(record.name, elements: 0..<record.elementCount, into: &span)
    return values
  }

  /// Compares a tensor's shape, and its values within a relative norm of `limit`.
  private func compare(
    _ traced: Checkpoint, _ name: String, with golden: String, limit: Double
  ) throws {
    let numbers = try Checkpoint.open(self.numbers)
    let shape = numbers.record(TensorName(golden))?.shape
    #expect(traced.record(TensorName(name))?.shape == shape, "\(name)")
    let (found, wanted) = (try floats(traced, name), try floats(numbers, golden))
    var (difference, norm) = (0.0, 0.0)
    for (a, b) in zip(found, wanted) {
      difference += (Double(a) - Double(b)) * (Double(a) - Double(b))
      norm += Double(b) * Double(b)
    }
    #expect((difference / norm).squareRoot() <= limit, "\(name)")
  }

  @Test("a source model's logits and hidden states")
  func source() throws {
    let (_, traced) = try trace("source", "--save", "logits,hidden")
    #expect(traced.tensors.count == 2)
    try compare(traced, "logits", with: "base.logits", limit: 1e-5)
    try compare(traced, "hidden", with: "base.hidden", limit: 1e-5)
  }

  @Test("a retrofit's logits and latents", arguments: [1, 4])
  func retrofit(recurrence: Int) throws {
    let (_, traced) = try trace(
      "retrofit", "--recurrence", "\(recurrence)", "--save", "latent,logits")
    try compare(traced, "logits", with: "r\(recurrence).logits", limit: 1e-5)
    try compare(traced, "latent", with: "r\(recurrence).latent", limit: 1e-5)
  }

  @Test("loss and gradients of a retrofit, every parameter's", arguments: ["0,3", "3,2"])
  func gradients(depth: String) throws {
    let (run, traced) = try trace("retrofit", "--recurrence", depth, "--save", "loss,gradients")
    let parts = depth.split(separator: ",")
    let prefix = "bptt.n\(parts[0])k\(parts[1])."
    try compare(traced, "loss", with: prefix + "loss", limit: 1e-5)
    let loss = Double(try floats(traced, "loss")[0])
    #expect(run.json?["loss"]?.double == loss)
    let names = try Checkpoint.open(numbers).tensors.map(\.name.string)
      .filter { $0.hasPrefix(prefix + "grad.") }
    #expect(names.count > 50)
    #expect(traced.tensors.count == names.count + 1)
    for name in names {
      try compare(traced, String(name.dropFirst(prefix.count)), with: name, limit: 1e-4)
    }
    #expect(run.json?["warnings"]?.array?.isEmpty == true)
  }

  @Test("gradients through no recurrence are zero in the core, and a warning says so")
  func noGradient() throws {
    let (run, traced) = try trace("retrofit", "--recurrence", "2", "--save", "gradients")
    #expect(run.json?["warnings"]?.array?.first?["code"]?.string == "trace.no_gradient")
    let adapter = try floats(traced, "grad.transformer.adapter.weight")
    #expect(adapter.allSatisfy { $0 == 0 })
  }
}
