import ByteIO
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoint

@Suite("checkpoint")
struct CheckpointTests {
  @Test("opens a Hugging Face folder: tensors, config, side files")
  func opensFolder() throws {
    let checkpoint = try Checkpoint.open(Fixtures.path("golden/tiny-llama/source"))
    #expect(checkpoint.format == .safetensors)
    #expect(checkpoint.config?["model_type"]?.string == "llama")
    #expect(checkpoint.sideFiles.map(\.name) == ["config.json", "generation_config.json"])
    #expect(checkpoint.inputs == [Fixtures.path("golden/tiny-llama/source/model.safetensors")])
    #expect(checkpoint.tensors.allSatisfy { checkpoint.record($0.name) == $0 })
    let norm = try #require(checkpoint.record("model.norm.weight"))
    var values = [Float](repeating: 0, count: norm.elementCount)
    var span = values.mutableSpan
    try checkpoint.readFloats("model.norm.weight", elements: 0..<norm.elementCount, into: &span)
    #expect(values.contains { $0 != 0 } && values.allSatisfy(\.isFinite))
  }
}
