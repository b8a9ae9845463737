import ByteIO
import Checkpoint
import Foundation
import GGUF
import JSON
import ModelGraph
import Models
import Tensors
import TestSupport
import Testing

@testable import Conversion

/// Tiny models of families, written, against the files that llama.cpp's own converter makes of the same
/// folders (Scripts/make_family_gguf.py).
@Suite("GGUF output of families against llama.cpp's converter")
struct FamilyGGUFOutputTests {
  private let folder = TemporaryFolder()

  private static func names(in folder: String, _ pick: (String) -> String?) -> [String] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: Fixtures.path(folder))
    return (names ?? []).compactMap(pick).sorted()
  }

  static let converted = names(in: "gguf/families") {
    $0.hasSuffix(".gguf") ? String($0.dropLast(5)) : nil
  }
  static let all = names(in: "families") { $0.contains("-") ? $0 : nil }

  /// Keys that say nothing about the model: what it is called, how many parameters it has, and what
  /// kind of file it is.
  private static let informational: Set<String> = [
    "general.name", "general.size_label", "general.quantization_version",
  ]
  /// What the converter says of dense Granite 4 beside that: layers that it does not have, and what is
  /// the same in Granite 3.
  private static let hybrid: Set<String> = [
    "granite.expert_count", "granite.expert_used_count", "granite.rope.scaling.finetuned",
    "granite.expert_shared_feed_forward_length", "granite.ssm.conv_kernel",
    "granite.ssm.state_size", "granite.ssm.group_count", "granite.ssm.inner_size",
    "granite.ssm.time_step_rank", "granite.attention.head_count_kv",
  ]

  private func written(_ source: OpenedModel, as type: StorageType? = nil) throws -> String {
    let path = folder.file("model.gguf")
    let output = try GGUFOutput(source.graph, from: source.checkpoint, as: type)
    _ = try output.write(to: path, allowOverflow: false) { _, _ in }
    return path
  }

  @Test("there are fixtures")
  func present() {
    #expect(Self.converted.count == 20)
    #expect(Self.all.count >= 49)
  }

  @Test("GG-30: the same keys, types, values, tensors and bytes", arguments: converted)
  func same(_ name: String) throws {
    let path = try written(try OpenedModel(Fixtures.path("families/\(name)/model")))
    let (got, want) = (
      try GGUFFile(ByteRegion(path: path)),
      try GGUFFile(ByteRegion(path: Fixtures.path("gguf/families/\(name).gguf")))
    )
    func entries(_ file: GGUFFile) -> [String: GGUFValue] {
      let passed = Self.informational.union(name.hasPrefix("granitehybrid") ? Self.hybrid : [])
      return Dictionary(uniqueKeysWithValues: file.metadata.map { ($0.key, $0.value) })
        .filter { !passed.contains($0.key) && !$0.key.hasPrefix("tokenizer.") }
    }
    let (keys, wanted) = (entries(got), entries(want))
    #expect(keys.keys.sorted() == wanted.keys.sorted())
    for (key, value) in wanted { #expect(keys[key] == value, "\(key)") }
    let (ours, theirs) = (try bytes(path), try bytes(Fixtures.path("gguf/families/\(name).gguf")))
    #expect(ours.keys.sorted() == theirs.keys.sorted())
    for (tensor, content) in theirs {
      #expect(ours[tensor]?.shape == content.shape, "\(tensor)")
      #expect(ours[tensor]?.floats == content.floats, "\(tensor)")
    }
  }

  private func bytes(_ path: String) throws -> [String: (shape: [Int], floats: [UInt32])] {
    let checkpoint = try Checkpoint.open(path)
    var result: [String: (shape: [Int], floats: [UInt32])] = [:]
    for record in checkpoint.tensors {
      #expect(record.type == .element(.f32))
      var floats = [Float](repeating: 0, count: record.elementCount)
      var span = floats.mutableSpan
      try checkpoint.readFloats(record.name, elements: 0..<record.elementCount, into: &span)
      result[record.name.string] = (record.shape, floats.map(\.bitPattern))
    }
    return result
  }

  /// Models of which no GGUF file can say all, by what it cannot say.
  static let refused = [
    // Gemma's scale follows from the sizes.
    "gemma2-default": "layers.0.attention.scale = 0.0625", "gemma2-nocap": "attention.scale",
    "gemma3-default": "attention.scale", "gemma3-linear": "attention.scale",
    "gemma3-types": "attention.scale",
    "gemma2-types": "a head that is not the embedding, in a model of gemma2",
    "granitehybrid-nope": "layers.0.attention.rotary = null",
    "llama-dynamic": "rotary.type = \"dynamic\"", "llama-longrope": "rotary.type = \"longrope\"",
    "llama-yarn": "mlp.activation = \"gelu\"", "qwen3moe-packed": "mlp.activation = \"gelu\"",
    "ministral-mixed": "the family ministral", "ministral-wide": "the family ministral",
    "ministral-window": "the family ministral",
    "mistral-window": "layers.0.attention.window = 5", "mistral-yarn": "attention.window = 23",
    "mixtral-window": "attention.window = 5",
    "olmoe-normalised": "experts.normalised = true",
    "qwen2-types": "layers.2.attention.window = 7",
    "qwen2-window": "layers.2.attention.window = 5",
    "qwen3-dynamic": "rotary.type = \"dynamic\"",
    "qwen3-window": "layers.3.attention.window = 4",
    "qwen3moe-default": "experts.normalised = false", "qwen3moe-mixed": "layers.0.mlp.experts",
    "qwen3moe-step": "layers.0.attention.window = 5",
    "smollm3-list": "layers.1.attention.rotary = null",
    "smollm3-window": "layers.1.attention.window = 5",
  ]

  @Test("GG-29: read again, the same specs and values, or refused by name", arguments: all)
  func again(_ name: String) throws {
    let source = try OpenedModel(Fixtures.path("families/\(name)/model"))
    if let part = Self.refused[name] {
      let error = #expect(throws: ModelGraphError.self) { _ = try written(source) }
      #expect(error?.message.contains(part) == true, "\(error?.message ?? "written")")
      return
    }
    let again = try OpenedModel(try written(source))
    #expect(again.graph.sizes == source.graph.sizes)
    #expect((again.graph.head == nil) == (source.graph.head == nil))
    #expect(again.graph.blocks.count == source.graph.blocks.count)
    #expect(try values(again) == values(source))
  }

  /// Values by the tensors' names in a file, experts and projections apart.
  private func values(_ model: OpenedModel) throws -> [String: [Float]] {
    let (reader, export) = (RecipeReader(model.checkpoint), try GGUFExport(model.graph))
    var result: [String: [Float]] = [:]
    for tensor in export.tensors {
      let parameter = tensor.parameter
      var values = [Float](repeating: 0, count: parameter.elementCount)
      var span = values.mutableSpan
      try reader.readFloats(
        parameter.recipe, shape: parameter.shape, rows: 0..<parameter.shape[0], into: &span)
      result[parameter.name.string] = values
    }
    return result
  }

  @Test("GG-26, GG-30: windows on other layers than the family's are told layer by layer")
  func windows() throws {
    let source = try OpenedModel(Fixtures.path("families/gemma3-heads/model"))
    guard case .plain(let blocks) = source.graph.body else { return }
    var graph = source.graph
    graph.body = .plain([blocks[0], blocks[5], blocks[1], blocks[2]])
    let export = try GGUFExport(graph)
    #expect(
      export.metadata["gemma3.attention.sliding_window_pattern"] == [true, false, true, true])
    #expect(export.warnings.map(\.code) == ["gguf.windows_by_layer"])
    #expect(try GGUFExport(source.graph).warnings == [])
    let path = folder.file("windows.gguf")
    _ = try GGUFOutput(graph, from: source.checkpoint, as: nil)
      .write(to: path, allowOverflow: false) { _, _ in }
    let again = try OpenedModel(path).graph.blocks.map(\.spec)
    #expect(again == graph.blocks.map(\.spec))
  }

  @Test("in half precision the router and norms stay float32, experts do not")
  func half() throws {
    let source = try OpenedModel(Fixtures.path("families/mixtral-default/model"))
    let checkpoint = try Checkpoint.open(try written(source, as: .element(.f16)))
    func type(_ name: String) -> StorageType? { checkpoint.record(TensorName(name))?.type }
    #expect(type("blk.0.ffn_gate_inp.weight") == .element(.f32))
    #expect(type("blk.0.attn_norm.weight") == .element(.f32))
    #expect(type("blk.0.ffn_gate_exps.weight") == .element(.f16))
  }
}
