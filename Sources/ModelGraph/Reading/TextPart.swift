import JSON

/// The text part of a multimodal model's folder: a decoder of a family, whose configuration stands in
/// `text_config`. The other parts are not copied.
struct TextPart {
  /// The decoder's configuration, as a folder of its own would have it.
  let config: JSONObject
  /// Beginnings of the names of tensors that belong to the other parts.
  let otherParts: [String]

  /// Values of `model_type` that stand for such a folder, and that of the decoder in it.
  private static let decoders = ["gemma3": "gemma3_text"]

  /// What may stand beside `text_config`.
  private static let fields = FieldRules.everyModel.with([
    "text_config": .required, "vision_config": .inert, "mm_tokens_per_image": .inert,
    "boi_token_index": .inert, "eoi_token_index": .inert, "image_token_index": .inert,
    "tie_word_embeddings": .read(),
  ])

  /// Fields of the whole model that hold for its decoder.
  private static let shared = [
    "tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id", "torch_dtype", "dtype",
  ]

  /// Nil when `config` is not that of a multimodal model.
  init?(_ config: JSONObject, ignoring ignored: Set<String>) throws(ModelGraphError) {
    var reader = ConfigReader(config)
    guard let type = try reader.string("model_type"), let decoder = Self.decoders[type] else {
      return nil
    }
    guard var text = try reader.object("text_config") else { throw reader.missing("text_config") }
    _ = try Self.fields.check(config, layers: nil, ignoring: ignored)
    if let stated = text["model_type"]?.string, stated != decoder {
      throw ModelGraphError(.unsupportedArchitecture(stated))
    }
    text["model_type"] = .string(decoder)
    for key in Self.shared where text[key] == nil { text[key] = config[key] }
    self.config = text
    otherParts = ["vision_tower.", "multi_modal_projector."]
  }
}
