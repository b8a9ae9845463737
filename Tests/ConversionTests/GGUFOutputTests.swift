import ByteIO
import Checkpoint
import GGUF
import JSON
import ModelGraph
import Models
import Tensors
import TestSupport
import Testing

@testable import Conversion

@Suite("GGUF output")
struct GGUFOutputTests {
  private let folder = TemporaryFolder()

  private func floats(_ model: OpenedModel) throws -> [TensorName: [Float]] {
    let reader = RecipeReader(model.checkpoint)
    var result: [TensorName: [Float]] = [:]
    for parameter in model.graph.parameters {
      let rows = 0..<parameter.shape[0]
      var values = [Float](repeating: 0, count: parameter.elementCount)
      var span = values.mutableSpan
      try reader.readFloats(parameter.recipe, shape: parameter.shape, rows: rows, into: &span)
      result[parameter.name] = values
    }
    return result
  }

  private func written(
    _ model: OpenedModel, as type: StorageType? = nil, allowOverflow: Bool = false
  ) throws -> OpenedModel {
    let path = folder.file("model.gguf")
    let output = try GGUFOutput(model.graph, from: model.checkpoint, as: type)
    let file = try output.write(to: path, allowOverflow: allowOverflow) { _, _ in }
    #expect(file.byteCount == output.layout.byteCount)
    return try OpenedModel(path)
  }

  @Test(
    "a model written as GGUF is the same model",
    arguments: ["tiny-llama", "tiny-llama3-rope", "tiny-olmo2", "tiny-qwen2", "tiny-qwen3"])
  func roundTrip(_ name: String) throws {
    let source = try OpenedModel(Fixtures.path("golden/\(name)/source"))
    let again = try written(source)
    #expect(again.graph.sizes == source.graph.sizes)
    #expect(again.graph.spec == source.graph.spec)
    #expect(again.graph.blocks.map(\.spec) == source.graph.blocks.map(\.spec))
    #expect((again.graph.head == nil) == (source.graph.head == nil))
    #expect(try floats(again) == floats(source))
  }

  @Test("Q8_0: matrices within half a step, vectors exact")
  func quantised() throws {
    let source = try OpenedModel(Fixtures.path("golden/tiny-llama/source"))
    let again = try written(source, as: .block(.q80))
    #expect(again.checkpoint.metadata?["general.file_type"]?.integer == 7)
    let (got, want) = (try floats(again), try floats(source))
    #expect(got.keys.count == want.keys.count)
    for (name, values) in want {
      let other = try #require(got[name])
      // Half a step of 1/127 of the largest magnitude, and the rounding of the scale to float16.
      let step = (values.map(abs).max() ?? 0) / 127
      let worst = zip(values, other).map { abs($0 - $1) }.max() ?? 0
      #expect(worst <= step * 0.57, "\(name)")
      if name.string.contains("norm") { #expect(worst == 0, "\(name)") }
    }
  }

  @Test("gguf.no_storage: types that GGUF cannot hold")
  func noStorage() throws {
    let source = try OpenedModel(Fixtures.path("golden/tiny-llama/source"))
    #expect(throws: GGUFError.self) { _ = try written(source, as: .element(.f8E4M3)) }
  }

}
