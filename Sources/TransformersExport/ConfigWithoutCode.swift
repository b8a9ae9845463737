import JSON
import ModelGraph

extension ModelGraph {
  /// `config` for a folder without code for transformers, which mlx-lm has read it all the same, for the
  /// tokenizer's sake.
  ///
  /// Rotary settings in the older form, `rope_theta` and `rope_scaling`, it completes from fields that it has not
  /// read yet, and fails; the newer form says all. It checks those of LongRoPE by the sizes under its own names.
  func readableWithoutCode(_ config: JSONObject) -> JSONObject {
    var config = config
    config["hidden_size"] = JSONValue(sizes.hidden)
    config["num_attention_heads"] = JSONValue(sizes.heads)
    if case .one(let rotary?) = rotaryFields, config["rope_scaling"]?.object != nil {
      config["rope_parameters"] = .object(rotary.parameters(sizes))
      config["rope_scaling"] = nil
      config["rope_theta"] = nil
    }
    return config
  }
}
