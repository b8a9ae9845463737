import ByteIO
import Checkpoint
import JSON
import Tensors
import TestSupport
import Testing

@testable import ModelGraph

/// What transformers' classes take for fields that a file leaves out (Scripts/make_family_fixtures.py).
private func classDefaults() throws -> JSONObject {
  let path = Fixtures.path("families/defaults.json")
  let bytes = try ByteRegion(path: path).contents(limit: 1 << 20)
  return try #require(try JSONValue(parsing: bytes, path: path).object)
}

@Suite("defaults of each family's class")
struct FamilyDefaultTests {
  /// Where versions of transformers disagree, a field that is left out is refused.
  private static let refused = ["smollm3.rope_theta"]

  @Test("every field of the class has a rule, and what is read has the class's own default")
  func defaults() throws {
    let classes = try classDefaults()
    // Transformers has no class for those that recur by themselves.
    for family in Family.all where family.recurrence == nil && !family.normsLatent {
      let fields = try #require(classes[family.modelType]?.object, "\(family.modelType)")
      for member in fields.members {
        let name = "\(family.modelType).\(member.key)"
        switch family.fields[member.key] {
        case .read(let value)?:
          if Self.refused.contains(name) {
            #expect(value.isNull, "\(name)")
          } else if let number = value.double, let wanted = member.value.double {
            #expect(number == wanted, "\(name)")
          } else {
            #expect(value == member.value, "\(name)")
          }
        case .only(let values)?:
          let isAllowed = member.value.isNull || values.contains(member.value)
          // The class's default is another architecture: a file must say that it is not that.
          #expect(isAllowed || name == "granitemoehybrid.num_local_experts", "\(name)")
        case .required?, .everyLayer?, .inert?: break
        case nil: Issue.record("\(name) has no rule")
        }
      }
    }
  }

  @Test(
    "what is left out is as if the default were stated, and null is not",
    arguments: [
      ("gemma2-default", "attn_logit_softcapping"), ("gemma2-default", "final_logit_softcapping"),
      ("gemma2-default", "query_pre_attn_scalar"), ("granite-plain", "attention_multiplier"),
      ("qwen3-window", "num_key_value_heads"), ("olmo3-default", "sliding_window"),
    ])
  func leftOut(fixture: String, field: String) throws {
    let checkpoint = try Checkpoint.open(Fixtures.path("families/\(fixture)/model"))
    var config = try #require(checkpoint.config)
    let type = try #require(config["model_type"]?.string)
    let value = try #require(try classDefaults()[type]?[field])
    func specs() throws -> [BlockSpec] {
      try ModelGraph.read(config: config, tensors: checkpoint.tensors).blocks.map(\.spec)
    }
    config[field] = value
    let stated = try? specs()
    config[field] = nil
    let absent = try? specs()
    #expect(absent == stated)
  }

  @Test("Gemma-3's text part is read out of a multimodal folder")
  func multimodal() throws {
    let checkpoint = try Checkpoint.open(Fixtures.path("families/gemma3-default/model"))
    let text = try #require(checkpoint.config)
    let plain = try ModelGraph.read(config: text, tensors: checkpoint.tensors)
    var config: JSONObject = [
      "model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"],
      "vision_config": ["model_type": "siglip_vision_model"], "mm_tokens_per_image": 256,
      "boi_token_index": 255999, "eoi_token_index": 256000, "image_token_index": 262144,
      "text_config": .object(text),
    ]
    var tensors = checkpoint.tensors
    for i in tensors.indices {
      tensors[i].name = TensorName("language_model." + tensors[i].name.string)
    }
    var vision = tensors[0]
    vision.name = "vision_tower.vision_model.embeddings.patch_embedding.weight"
    let graph = try ModelGraph.read(config: config, tensors: tensors + [vision])
    #expect(graph.blocks.map(\.spec) == plain.blocks.map(\.spec) && graph.spec == plain.spec)
    #expect(graph.notes.contains { $0.code == "model.other_parts" })
    #expect(graph.config["model_type"] == "gemma3_text")

    config["audio_config"] = [:]
    #expect(throws: ModelGraphError(.unknownField("audio_config", value: "{}"))) {
      _ = try ModelGraph.read(config: config, tensors: tensors)
    }
  }

  @Test("wrappers' names are taken out wherever they stand")
  func wrappers() throws {
    let (config, tensors) = try golden("tiny-llama/source")
    let plain = try ModelGraph.read(config: config, tensors: tensors)
    let wrapped = tensors.map { tensor in
      var tensor = tensor
      let name = tensor.name.string.split(separator: ".").map(String.init)
      let inside = (name.prefix(3) + ["_checkpoint_wrapped_module"] + name.dropFirst(3))
        .joined(separator: ".")
      tensor.name = TensorName("base_model.model._fsdp_wrapped_module." + inside)
      return tensor
    }
    let graph = try ModelGraph.read(config: config, tensors: wrapped)
    #expect(graph.parameters.count == plain.parameters.count)
    #expect(graph.notes.contains { $0.code == "model.wrappers" })
  }
}
