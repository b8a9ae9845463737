extension ModelSizes {
  /// Reads the extents, under the names of Hugging Face or of the published retrofits.
  ///
  /// - Parameters:
  ///   - field: The field that has the MLP's width.
  ///   - context: The field that has the context where it has another name.
  ///   - rows: Rows of the embedding table; it may be padded beyond `vocab_size`.
  init(
    _ config: inout ConfigReader, intermediate field: String, context contextField: String? = nil,
    rows: Int?
  ) throws(ModelGraphError) {
    guard let hidden = try config.extent("hidden_size", "n_embd") else {
      throw config.missing("hidden_size")
    }
    guard let heads = try config.extent("num_attention_heads", "n_heads") else {
      throw config.missing("num_attention_heads")
    }
    guard let intermediate = try config.extent(field) else {
      throw config.missing(field)
    }
    guard let vocabulary = try config.extent("vocab_size") else {
      throw config.missing("vocab_size")
    }
    var stated = try config.extent("max_position_embeddings", "max_sequence_length")
    if stated == nil, let contextField { stated = try config.extent(contextField) }
    guard let context = stated else {
      throw config.missing("max_position_embeddings")
    }
    let keyValueHeads = try config.extent("num_key_value_heads") ?? heads
    guard heads % keyValueHeads == 0 else {
      throw Self.invalid("num_key_value_heads", keyValueHeads, "a divisor of \(heads) heads")
    }
    let headSize: Int
    if let stated = try config.extent("head_dim") {
      headSize = stated
    } else {
      guard hidden % heads == 0 else {
        throw Self.invalid("num_attention_heads", heads, "a divisor of hidden_size, \(hidden)")
      }
      headSize = hidden / heads
    }
    guard headSize % 2 == 0 else { throw Self.invalid("head_dim", headSize, "even") }
    guard heads <= ConfigReader.largestExtent / headSize else {
      throw Self.invalid(
        "num_attention_heads", heads, "at most \(ConfigReader.largestExtent / headSize)")
    }
    if let rows, rows < vocabulary {
      throw Self.invalid("vocab_size", vocabulary, "at most \(rows), the embedding's rows")
    }
    self.init(
      vocabulary: rows ?? vocabulary, hidden: hidden, intermediate: intermediate, heads: heads,
      keyValueHeads: keyValueHeads, headSize: headSize, context: context)
  }

  private static func invalid(_ field: String, _ value: Int, _ rule: String) -> ModelGraphError {
    ModelGraphError(.invalidValue(field: field, value: String(value), rule: rule))
  }
}
