import JSON
import ModelGraph
import Recurrence
import Tensors

extension ModelGraph {
  /// The configuration of a plain model as its family's class in transformers reads it, 4.51 and
  /// newer.
  ///
  /// - Throws: When the family's fields cannot say what the model computes.
  func plainConfig() throws(ExportError) -> JSONObject {
    guard let className else { throw ExportError(.unknownFamily(family)) }
    let type = JSONValue.string((blocks.first?.weightType ?? embedding.type).torchName)
    var fields = familyFields
    let own: JSONObject = [
      "architectures": [.string(className)], "model_type": .string(family),
      "vocab_size": JSONValue(sizes.vocabulary), "hidden_size": JSONValue(sizes.hidden),
      "num_hidden_layers": JSONValue(blocks.count),
      "num_attention_heads": JSONValue(sizes.heads),
      "num_key_value_heads": JSONValue(sizes.keyValueHeads), "head_dim": JSONValue(sizes.headSize),
      "max_position_embeddings": JSONValue(sizes.context),
      "rms_norm_eps": JSONValue(spec.finalNorm.epsilon), "tie_word_embeddings": .bool(head == nil),
      "torch_dtype": type, "dtype": type,
    ]
    fields[intermediateField] = JSONValue(sizes.intermediate)
    for list in [own, rotaryMembers, biasMembers, layerLists] {
      for member in list.members { fields[member.key] = member.value }
    }
    for key in ["bos_token_id", "eos_token_id", "pad_token_id", "initializer_range", "use_cache"] {
      if let value = config[key] { fields[key] = value }
    }
    try check(fields)
    return fields.sorted
  }

  /// One form of the rotary settings: the one that both versions of transformers know, where it
  /// says all.
  private var rotaryMembers: JSONObject {
    switch rotaryFields {
    case .one(nil): return [:]
    case .one(let rotary?):
      return [
        "rope_theta": JSONValue(rotary.theta),
        "rope_scaling": rotary.scalingFields(sizes).map { .object($0) } ?? .null,
        "rope_parameters": .null,
      ]
    case .byLayerType(let parameters):
      return [
        "rope_parameters": .object(parameters), "rope_theta": .null, "rope_scaling": .null,
      ]
    }
  }

  /// Biases that were told by tensors alone are said.
  private var biasMembers: JSONObject {
    var members = JSONObject()
    guard let spec = blocks.first?.spec else { return members }
    if hasField("attention_bias") {
      members["attention_bias"] = .bool(spec.attention.queryKeyValueBias)
    }
    if hasField("mlp_bias") { members["mlp_bias"] = .bool(spec.mlp.bias) }
    return members
  }

  /// Reads what was written: it must say what this model computes.
  private func check(_ fields: JSONObject) throws(ExportError) {
    let again: ModelGraph
    do { again = try ModelGraph.read(config: fields, parameters: parameters) } catch {
      throw ExportError(.notExpressible(family, error.message))
    }
    guard again.spec == spec, again.blocks.map(\.spec) == blocks.map(\.spec) else {
      throw ExportError(.notExpressible(family, "its fields have other numbers"))
    }
  }
}
