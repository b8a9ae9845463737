import ByteIO
import Checkpoint
import Foundation
import Kernels
import ModelGraph
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// Tiny models of families as llama.cpp's converter writes them (Scripts/make_family_gguf.py), against
/// what transformers computes of the folders that they were made from.
@Suite("GGUF files of families against transformers in float32")
struct FamilyGGUFTests {
  static let names: [String] = {
    let names = try? FileManager.default.contentsOfDirectory(
      atPath: Fixtures.path("gguf/families"))
    return (names ?? []).compactMap { $0.hasSuffix(".gguf") ? String($0.dropLast(5)) : nil }
      .sorted()
  }()

  @Test("there are fixtures")
  func present() { #expect(Self.names.count == 20) }

  @Test("GG-24, GG-25, GG-26, GG-27, GG-28: logits and every hidden state", arguments: names)
  func forward(name: String) throws {
    let folder = try FamilyFixture(name)
    let (checkpoint, graph) = try open(name)
    let model = try Model(graph, from: checkpoint, on: try Compute(2))
    let result = try model.forward(try folder.batch(), ForwardOptions(keepsHidden: true))
    #expect(relativeError(try #require(result.logits).floats, try folder.floats("logits")) < 1e-5)
    let (hidden, want) = (try #require(result.hidden).floats, try folder.floats("hidden"))
    try #require(hidden.count == want.count)
    let size = want.count / (graph.blocks.count + 1)
    for layer in 0...graph.blocks.count {
      let range = layer * size..<(layer + 1) * size
      #expect(
        relativeError(Array(hidden[range]), Array(want[range])) < 1e-5, "hidden state \(layer)")
    }
  }

  @Test("the specs are those of the folder, up to float32", arguments: names)
  func specs(name: String) throws {
    let (graph, want) = (try open(name).graph, try FamilyFixture(name).graph)
    // Dense Granite 4 is written as Granite 3, which computes the same.
    #expect(graph.family == (name.hasPrefix("granitehybrid") ? "granite" : want.family))
    for (block, wanted) in zip(graph.blocks, want.blocks) {
      #expect(block.spec.attention.visible == wanted.spec.attention.visible)
      #expect(block.spec.norms == wanted.spec.norms)
      #expect((block.spec.attention.rotary == nil) == (wanted.spec.attention.rotary == nil))
      #expect(block.spec.mlp.experts?.chosen == wanted.spec.mlp.experts?.chosen)
      #expect(block.spec.mlp.experts?.isNormalised == wanted.spec.mlp.experts?.isNormalised)
    }
  }

  private func open(_ name: String) throws -> (checkpoint: Checkpoint, graph: ModelGraph) {
    let checkpoint = try Checkpoint.open(Fixtures.path("gguf/families/\(name).gguf"))
    let translation = try GGUFTranslation(
      metadata: try #require(checkpoint.metadata), tensors: checkpoint.tensors
    ) { try checkpoint.floats(named: $0.string) }
    return (
      checkpoint,
      try ModelGraph.read(config: translation.config, parameters: translation.parameters)
    )
  }
}
