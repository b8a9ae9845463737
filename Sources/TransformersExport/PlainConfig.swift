import JSON
import ModelGraph
import Recurrence
import Tensors

extension ModelGraph {
  /// The configuration of a plain model as its family's class in transformers reads it, 4.51 and
  /// newer.
  func plainConfig(_ family: FamilyClass) -> JSONObject {
    let type = JSONValue.string((blocks.first?[.down]?.type ?? embedding.type).torchName)
    var fields: JSONObject = [
      "architectures": [.string(family.name)], "model_type": .string(self.family),
      "vocab_size": JSONValue(sizes.vocabulary), "hidden_size": JSONValue(sizes.hidden),
      "intermediate_size": JSONValue(sizes.intermediate), "hidden_act": "silu",
      "num_hidden_layers": JSONValue(blocks.count),
      "num_attention_heads": JSONValue(sizes.heads),
      "num_key_value_heads": JSONValue(sizes.keyValueHeads), "head_dim": JSONValue(sizes.headSize),
      "max_position_embeddings": JSONValue(sizes.context),
      "rms_norm_eps": JSONValue(normEpsilon), "rope_theta": JSONValue(rotary.theta),
      "rope_scaling": rotary.scalingFields.map { .object($0) } ?? .null,
      "tie_word_embeddings": .bool(head == nil), "torch_dtype": type, "dtype": type,
    ]
    if family.biasIsField {
      fields["attention_bias"] = .bool(style.queryKeyValueBias)
      if style.mlpBias { fields["mlp_bias"] = true }
    }
    for key in family.windowFields { fields[key] = .null }
    for key in ["bos_token_id", "eos_token_id", "pad_token_id", "initializer_range", "use_cache"] {
      if let value = config[key] { fields[key] = value }
    }
    return fields.sorted
  }
}
